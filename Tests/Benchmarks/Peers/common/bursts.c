// SPDX-License-Identifier: Apache-2.0
// The bursts. See bursts.h.

#include "bursts.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { cache_size = 4 << 20 };

static const struct burst_subject *subject;
static int64_t count, ran, fired;

void bursts_ran(void) { ran++; }
void bursts_fired(void) { fired++; }

/// The times of a burst's parts, in nanoseconds.
struct times {
    int64_t part[2];
};

static void report_median(const char *name, const char *condition, const struct times *times, size_t rounds, size_t part) {
    struct samples samples;
    samples_reserve(&samples, rounds);
    for (size_t i = 0; i < rounds; i++) samples_add(&samples, (double)times[i].part[part]);
    char metric[64];
    snprintf(metric, sizeof metric, "%s%s", name, condition);
    report(metric, "us", samples_percentile(&samples, 0, 0.5) / 1e3);
    free(samples.values);
}

static void measure(const char *const *names, size_t parts, struct times (*burst)(void)) {
    size_t rounds = (size_t)option_number("rounds", 100);
    char *cache = malloc(cache_size);
    struct times *times = malloc(rounds * sizeof *times);
    if (!cache || !times) fail("no memory");
    struct times first = burst();
    for (size_t part = 0; part < parts; part++) report_median(names[part], "first", &first, 1, part);
    for (size_t i = 0; i < rounds; i++) {
        memset(cache, (int)i, cache_size);
        __asm__ volatile("" : : "r"(cache) : "memory");
        times[i] = burst();
    }
    for (size_t part = 0; part < parts; part++) report_median(names[part], "cold", times, rounds, part);
    burst();
    for (size_t i = 0; i < rounds; i++) times[i] = burst();
    for (size_t part = 0; part < parts; part++) report_median(names[part], "warm", times, rounds, part);
}

// Posts

static int bell;
static _Atomic int64_t began;

static void *poster(void *context) {
    (void)context;
    for (eventfd_t value; eventfd_read(bell, &value) == 0;) {
        atomic_store_explicit(&began, now_ns(), memory_order_release);
        for (int64_t i = 0; i < count; i++) subject->post();
    }
    return NULL;
}

static struct times post_burst(void) {
    ran = 0;
    eventfd_write(bell, 1);
    while (ran < count) subject->rest();
    return (struct times){{now_ns() - atomic_load_explicit(&began, memory_order_acquire), 0}};
}

void bursts_of_posts(const struct burst_subject *chosen) {
    subject = chosen;
    count = option_number("n", 10);
    bell = eventfd(0, EFD_CLOEXEC);
    pthread_t thread;
    if (bell < 0 || pthread_create(&thread, NULL, poster, NULL) != 0) fail("the poster");
    pthread_detach(thread);
    measure((const char *[]){""}, 1, post_burst);
}

// Timers

static int64_t *delays;

static struct times timer_burst(void) {
    int64_t begin = now_ns();
    for (int64_t i = 0; i < count; i++) subject->arm((uint32_t)i, SECOND_NS + delays[i]);
    int64_t armed = now_ns();
    for (int64_t i = 0; i < count; i++) subject->disarm((uint32_t)i);
    subject->turn();
    fired = 0;
    int64_t second = now_ns();
    for (int64_t i = 0; i < count; i++) subject->arm((uint32_t)i, 0);
    while (fired < count) subject->turn();
    return (struct times){{armed - begin, now_ns() - second}};
}

void bursts_of_timers(const struct burst_subject *chosen) {
    subject = chosen;
    count = option_number("n", 1000);
    delays = random_deadlines((size_t)count);
    measure((const char *[]){"insert_", "fired_"}, 2, timer_burst);
}
