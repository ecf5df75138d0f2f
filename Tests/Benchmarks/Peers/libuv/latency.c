// SPDX-License-Identifier: Apache-2.0
// wake, periodic, idle, tasks' hop: how long something takes to reach the UI thread, and what waiting costs.

#define _GNU_SOURCE
#include "guest.h"
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

// wake

static struct samples delays;

static void on_wake(uv_poll_t *poll, int status, int events) {
    (void)poll, (void)status, (void)events;
    feeder_take(*(int *)poll->data, &delays);
    guest_done = delays.count == delays.capacity;
}

void wake(void) {
    int64_t count = option_number("n", 300);
    bool idle = option_is("mode", "idle");
    guest_start();
    if (idle && guest_is_frame_design()) not_supported("a loop that is polled per frame has no idle wait");
    static int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe");
    samples_reserve(&delays, (size_t)count);
    uv_poll_t poll;
    uv_poll_init(&loop, &poll, ends[0]);
    poll.data = &ends[0];
    uv_poll_start(&poll, UV_READABLE, on_wake);
    feeder_wakes(ends[1], count);
    if (idle) guest_run();
    else guest_spin();
    report_percentiles("", &delays, (size_t)count / 10);
}

// periodic

static int64_t beats, beats_wanted, last_beat, period_ns;
static struct samples errors;

static void on_beat(uv_timer_t *timer) {
    int64_t now = now_ns();
    // libuv keeps no grid: what can be late is the interval.
    samples_add(&errors, fabs((double)(now - last_beat - period_ns)));
    last_beat = now;
    if (++beats < beats_wanted) return;
    uv_timer_stop(timer);
    guest_done = true;
}

void periodic(void) {
    beats_wanted = option_number("n", 100);
    int64_t period = option_number("period_ms", 5);
    period_ns = period * 1000000;
    guest_start();
    if (guest_is_frame_design()) not_supported("a loop that is polled per frame has no idle wait");
    samples_reserve(&errors, (size_t)beats_wanted);
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    uv_update_time(&loop);
    int64_t start = now_ns();
    last_beat = start;
    uv_timer_start(&timer, on_beat, (uint64_t)period, (uint64_t)period);
    guest_run();
    report("drift", "ms", (double)(last_beat - start - beats_wanted * period_ns) / 1e6);
    report_percentiles("late_", &errors, 0);
}

// idle

static double idle_seconds;
static struct switches before;
static int64_t cpu_before, seconds_passed;

static void on_second(uv_timer_t *timer) {
    (void)timer;
    // The first second is warm-up, the next ones count.
    if (seconds_passed++ == 0) {
        before = switches_read();
        cpu_before = process_cpu_ns();
        return;
    }
    if ((double)seconds_passed <= idle_seconds) return;
    int64_t cpu = process_cpu_ns() - cpu_before;
    struct switches after = switches_read();
    report("cpu", "ms", (double)cpu / 1e6);
    report("switches", "count", (double)(after.all - before.all));
    report("wakeups", "count", (double)(after.ui - before.ui));
    guest_done = true;
}

void idle(void) {
    idle_seconds = option_decimal("seconds", 2);
    guest_start();
    if (guest_is_frame_design()) not_supported("a loop that is polled per frame has no idle wait");
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_second, 1000, 1000);
    guest_run();
}

// tasks: the one part of them that exists without tasks

static sem_t answered;

static void answer(void *context) {
    (void)context;
    sem_post(&answered);
}

static void finish(void *context) {
    (void)context;
    guest_done = true;
}

static struct samples hops;

static void *hop_thread(void *context) {
    int64_t count = *(int64_t *)context;
    for (int64_t i = 0; i < count; i++) {
        int64_t start = now_ns();
        guest_post(answer, NULL);
        while (sem_wait(&answered) != 0) {}
        samples_add(&hops, (double)(now_ns() - start));
    }
    guest_post(finish, NULL);
    return NULL;
}

void hop(void) {
    static int64_t count;
    count = option_number("hops", 200);
    guest_start();
    if (guest_is_frame_design()) not_supported("a loop that is polled per frame has no idle wait");
    sem_init(&answered, 0, 0);
    samples_reserve(&hops, (size_t)count);
    pthread_t thread;
    pthread_create(&thread, NULL, hop_thread, &count);
    guest_run();
    report("hop", "us", samples_percentile(&hops, (size_t)count / 10, 0.5) / 1e3);
}
