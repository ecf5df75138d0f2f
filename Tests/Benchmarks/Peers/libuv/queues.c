// SPDX-License-Identifier: Apache-2.0
// posts, timers, cancel, idletick: what a piece of work costs.

#include "guest.h"
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

// posts

static int64_t ran, wanted;

static void on_post(void *context) {
    (void)context;
    if (++ran == wanted) guest_done = true;
}

static void make_post(void *context) {
    (void)context;
    guest_post(on_post, NULL);
}

void posts(void) {
    wanted = option_number("n", 100000);
    guest_start();
    int64_t start = feeder_posts((int)option_number("threads", 1), wanted, make_post, NULL);
    guest_run();
    report("per_post", "ns", (double)(now_ns() - start) / (double)wanted);
}

// timers

static struct samples lateness;
static int64_t *deadlines, early, epoch;
static uv_timer_t *all_timers;

static void on_timer(uv_timer_t *timer) {
    int64_t late = now_ns() - epoch - deadlines[timer - all_timers];
    early += late < 0;
    samples_add(&lateness, (double)late);
    guest_done = lateness.count == lateness.capacity;
}

static uv_timer_t *touched_timers(size_t count) {
    uv_timer_t *timers = malloc(count * sizeof *timers);
    if (!timers) fail("no memory for timers");
    memset(timers, 1, count * sizeof *timers);
    return timers;
}

void timers(void) {
    size_t count = (size_t)option_number("n", 20000);
    guest_start();
    deadlines = random_deadlines(count);
    all_timers = touched_timers(count);
    samples_reserve(&lateness, count);
    uv_update_time(&loop);
    epoch = now_ns();
    for (size_t i = 0; i < count; i++) {
        uv_timer_init(&loop, &all_timers[i]);
        // libuv counts in milliseconds; rounded up, so as not to be early.
        uv_timer_start(&all_timers[i], on_timer, (uint64_t)(deadlines[i] + 999999) / 1000000, 0);
    }
    report("insert", "ns", (double)(now_ns() - epoch) / (double)count);
    guest_run();
    report_percentiles("late_", &lateness, 0);
    report("early", "count", (double)early);
}

// cancel

void cancel(void) {
    size_t count = (size_t)option_number("n", 100000);
    guest_start();
    int64_t *delays = random_deadlines(count);
    uint32_t *order = random_order(count);
    uv_timer_t *timers = touched_timers(count);
    int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        uv_timer_init(&loop, &timers[i]);
        uv_timer_start(&timers[i], on_timer, (uint64_t)delays[i] / 1000000 + 3600000, 0);
    }
    int64_t started = now_ns();
    for (size_t i = 0; i < count; i++) uv_timer_stop(&timers[order[i]]);
    int64_t cancelled = now_ns();
    double start_ns = (double)(started - start) / (double)count;
    double cancel_ns = (double)(cancelled - started) / (double)count;
    report("start", "ns", start_ns);
    report("cancel", "ns", cancel_ns);
    report("sum", "ns", start_ns + cancel_ns);
}

// idletick

static void on_never(uv_poll_t *poll, int status, int events) { (void)poll, (void)status, (void)events, fail("an event"); }

void idletick(void) {
    size_t descriptors = (size_t)option_number("fds", 1);
    int64_t count = option_number("n", 200000);
    if (!option_is("design", "frame")) not_supported("a guest that was not asked for a turn does nothing in a frame");
    allow_descriptors(descriptors);
    guest_start();
    uv_poll_t *polls = malloc(descriptors * sizeof *polls);
    for (size_t i = 0; i < descriptors; i++) {
        int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (descriptor < 0 || uv_poll_init(&loop, &polls[i], descriptor) != 0) fail("an eventfd");
        uv_poll_start(&polls[i], UV_READABLE, on_never);
    }
    for (int64_t i = 0; i < count / 10; i++) guest_turn();
    int64_t start = now_ns();
    for (int64_t i = 0; i < count; i++) guest_turn();
    report("tick", "ns", (double)(now_ns() - start) / (double)count);
}
