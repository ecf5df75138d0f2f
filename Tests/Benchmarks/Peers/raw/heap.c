// SPDX-License-Identifier: Apache-2.0
// See heap.h.

#include "heap.h"
#include <stdlib.h>
#include <string.h>

void heap_reserve(struct heap *heap, size_t capacity) {
    heap->entries = malloc(capacity * sizeof *heap->entries);
    heap->places = malloc(capacity * sizeof *heap->places);
    memset(heap->entries, 1, capacity * sizeof *heap->entries);
    memset(heap->places, 1, capacity * sizeof *heap->places);
    heap->count = 0;
}

static inline void put(struct heap *heap, size_t place, struct heap_entry entry) {
    heap->entries[place] = entry;
    heap->places[entry.timer] = (uint32_t)place;
}

static void rise(struct heap *heap, size_t place, struct heap_entry entry) {
    while (place > 0) {
        size_t parent = (place - 1) / 4;
        if (heap->entries[parent].deadline <= entry.deadline) break;
        put(heap, place, heap->entries[parent]);
        place = parent;
    }
    put(heap, place, entry);
}

static void sink(struct heap *heap, size_t place, struct heap_entry entry) {
    for (;;) {
        size_t child = place * 4 + 1;
        if (child >= heap->count) break;
        size_t end = child + 4 < heap->count ? child + 4 : heap->count, least = child;
        for (size_t i = child + 1; i < end; i++) {
            if (heap->entries[i].deadline < heap->entries[least].deadline) least = i;
        }
        if (entry.deadline <= heap->entries[least].deadline) break;
        put(heap, place, heap->entries[least]);
        place = least;
    }
    put(heap, place, entry);
}

void heap_insert(struct heap *heap, uint32_t timer, int64_t deadline) {
    rise(heap, heap->count++, (struct heap_entry){deadline, timer});
}

void heap_remove(struct heap *heap, uint32_t timer) {
    size_t place = heap->places[timer];
    struct heap_entry last = heap->entries[--heap->count];
    if (place == heap->count) return;
    if (place > 0 && last.deadline < heap->entries[(place - 1) / 4].deadline) rise(heap, place, last);
    else sink(heap, place, last);
}
