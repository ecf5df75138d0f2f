// SPDX-License-Identifier: Apache-2.0
// heap: a 4-ary heap of timers. The deadlines lie in the heap's own array, so that a comparison touches no timer.

#pragma once
#include <stdint.h>
#include <stddef.h>

struct heap_entry {
    int64_t deadline;
    uint32_t timer;
};
struct heap {
    struct heap_entry *entries;
    /// Where each timer is, by its number.
    uint32_t *places;
    size_t count;
};

void heap_reserve(struct heap *heap, size_t capacity);
void heap_insert(struct heap *heap, uint32_t timer, int64_t deadline);
void heap_remove(struct heap *heap, uint32_t timer);
