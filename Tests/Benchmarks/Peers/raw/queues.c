// SPDX-License-Identifier: Apache-2.0
// posts: a slab in which each poster takes the next place. timers: a 4-ary heap and epoll_pwait2. cancel: the heap, or a wheel of
// linked lists. idletick: one atomic load.

#include "raw.h"
#include "heap.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// posts

struct place {
    void (*_Atomic body)(void *);
    void *context;
};
static struct place *slab;
static _Atomic int64_t slab_end;
static int64_t ran;

static void on_post(void *context) {
    (void)context;
    ran++;
}

static void make_post(void *context) {
    int64_t place = atomic_fetch_add_explicit(&slab_end, 1, memory_order_relaxed);
    slab[place].context = context;
    atomic_store_explicit(&slab[place].body, on_post, memory_order_release);
}

void posts(void) {
    int64_t count = option_number("n", 100000);
    slab = malloc((size_t)count * sizeof *slab);
    memset(slab, 0, (size_t)count * sizeof *slab);
    int64_t start = feeder_posts((int)option_number("threads", 1), count, make_post, NULL);
    for (int64_t next = 0; next < count;) {
        void (*body)(void *) = atomic_load_explicit(&slab[next].body, memory_order_acquire);
        if (body) body(slab[next++].context);
        else sched_yield();
    }
    report("per_post", "ns", (double)(now_ns() - start) / (double)ran);
}

// timers

void timers(void) {
    size_t count = (size_t)option_number("n", 20000);
    int64_t *deadlines = random_deadlines(count), early = 0;
    struct samples lateness;
    samples_reserve(&lateness, count);
    struct heap heap;
    heap_reserve(&heap, count);
    int poller = new_poller();
    struct epoll_event event;
    int64_t epoch = now_ns();
    for (size_t i = 0; i < count; i++) heap_insert(&heap, (uint32_t)i, epoch + deadlines[i]);
    report("insert", "ns", (double)(now_ns() - epoch) / (double)count);
    while (heap.count > 0) {
        wait_until(poller, &event, 1, heap.entries[0].deadline);
        int64_t now = now_ns();
        while (heap.count > 0 && heap.entries[0].deadline <= now) {
            struct heap_entry due = heap.entries[0];
            heap_remove(&heap, due.timer);
            int64_t late = now_ns() - epoch - deadlines[due.timer];
            early += late < 0;
            samples_add(&lateness, (double)late);
        }
    }
    report_percentiles("late_", &lateness, 0);
    report("early", "count", (double)early);
}

// cancel

struct link {
    struct link *next, *previous;
};

static void report_cancel(int64_t start, int64_t started, int64_t cancelled, size_t count) {
    report("start", "ns", (double)(started - start) / (double)count);
    report("cancel", "ns", (double)(cancelled - started) / (double)count);
    report("sum", "ns", (double)(cancelled - start) / (double)count);
}

static void cancel_in_wheel(size_t count, const int64_t *delays, const uint32_t *order) {
    enum { slots = 1024 };
    static struct link wheel[slots];
    for (size_t i = 0; i < slots; i++) wheel[i] = (struct link){&wheel[i], &wheel[i]};
    struct link *timers = malloc(count * sizeof *timers);
    memset(timers, 1, count * sizeof *timers);
    int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        struct link *slot = &wheel[((uint64_t)delays[i] >> 20) % slots];
        timers[i] = (struct link){slot, slot->previous};
        slot->previous->next = &timers[i];
        slot->previous = &timers[i];
    }
    int64_t started = now_ns();
    for (size_t i = 0; i < count; i++) {
        struct link *timer = &timers[order[i]];
        timer->next->previous = timer->previous;
        timer->previous->next = timer->next;
    }
    report_cancel(start, started, now_ns(), count);
    for (size_t i = 0; i < slots; i++) {
        if (wheel[i].next != &wheel[i]) fail("the wheel is not empty");
    }
}

void cancel(void) {
    size_t count = (size_t)option_number("n", 100000);
    int64_t *delays = random_deadlines(count);
    uint32_t *order = random_order(count);
    if (option_is("impl", "wheel")) return cancel_in_wheel(count, delays, order);
    struct heap heap;
    heap_reserve(&heap, count);
    int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) heap_insert(&heap, (uint32_t)i, delays[i]);
    int64_t started = now_ns();
    for (size_t i = 0; i < count; i++) heap_remove(&heap, order[i]);
    report_cancel(start, started, now_ns(), count);
    if (heap.count != 0) fail("the heap is not empty");
}

// idletick

static atomic_bool has_work;

void idletick(void) {
    int64_t count = option_number("n", 200000);
    int64_t start = now_ns(), found = 0;
    for (int64_t i = 0; i < count; i++) found += atomic_load_explicit(&has_work, memory_order_acquire);
    int64_t end = now_ns();
    if (found != 0) fail("work where there is none");
    report("tick", "ns", (double)(end - start) / (double)count);
}
