// SPDX-License-Identifier: Apache-2.0
// The small frame. See smallframe.h.

#define _GNU_SOURCE
#include "smallframe.h"
#include "../../CBench/include/far.h"
#include <SDL2/SDL.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct frame_subject *subject;
static _Atomic int64_t posted;
static atomic_bool posting_is_over;
static int64_t ran, armed, fired, received, sent, resumed, period;
static bool is_working = true;

void frame_ran(void) { ran++; }
void frame_fired(void) { fired++; }
void frame_received(int count) { received += count; }
void frame_resume(int number) {
    resumed++;
    if (number == 0 && is_working) sent += subject->send();
}

static void *poster(void *seed) {
    uint64_t chance = (uint64_t)(uintptr_t)seed * RANDOM_SEED;
    int64_t next = now_ns();
    while (!atomic_load_explicit(&posting_is_over, memory_order_relaxed)) {
        subject->post();
        atomic_fetch_add(&posted, 1);
        next += (int64_t)(random_next(&chance) % (uint64_t)(2 * period / frame_posts_of_thread));
        sleep_until_ns(next);
    }
    return NULL;
}

static int connected_socket(void) {
    int port = bench_mirror_start();
    if (port < 0) fail("the mirror did not start");
    int descriptor = bench_connected_socket(port);
    if (descriptor < 0 || fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) fail("no socket");
    return descriptor;
}

struct mark {
    int64_t ui, all, cold, sleeps, sent, resumed;
};
static int64_t cold_time;

static struct mark mark_now(void) {
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (struct mark){thread_cpu_ns(), process_cpu_ns(), cold_time, usage.ru_nvcsw, sent, resumed};
}

static void arm_timers(uint64_t *chance) {
    for (int i = 0; i < frame_timers; i++) {
        void *timer = subject->arm(1000000 + (int64_t)(random_next(chance) % 49000000));
        if (i == 0) subject->cancel(timer);
        else armed++;
    }
}

static void check(const char *what, int64_t begun, int64_t done) {
    if (begun == done) return;
    fprintf(stderr, "%ld %s, of which %ld were seen; ", (long)begun, what, (long)done);
    fail("the subject lost some");
}

void frame_run(const struct frame_subject *chosen) {
    subject = chosen;
    int64_t rate = option_number("fps", 60), count = option_number("seconds", 5) * rate;
    // Before the measured frames some are warm-up; after them what is under way comes to its end.
    int64_t warm = rate / 2, last = warm + count, all = last + rate;
    period = SECOND_NS / rate;
    int descriptor = connected_socket();
    subject->start(descriptor);
    pthread_t posters[2];
    for (uintptr_t i = 0; i < 2; i++) pthread_create(&posters[i], NULL, poster, (void *)(i + 1));
    size_t cold_size = (size_t)option_number("cold_mb", 4) << 20;
    char *cache = malloc(cold_size + 1);
    uint64_t chance = RANDOM_SEED;
    struct mark first = {0}, end = {0};
    int64_t begin = now_ns();
    for (int64_t number = 0; number < all; number++) {
        if (number == last) {
            is_working = false;
            atomic_store(&posting_is_over, true);
            for (int i = 0; i < 2; i++) pthread_join(posters[i], NULL);
        }
        subject->wait(begin + number * period);
        if (number == warm) first = mark_now();
        if (number == last) end = mark_now();
        if (cold_size) {
            int64_t before = thread_cpu_ns();
            memset(cache, (int)(number & 0xFF), cold_size);
            __asm__ volatile("" : : "r"(cache) : "memory");
            cold_time += thread_cpu_ns() - before;
        }
        if (is_working) arm_timers(&chance);
        if (!option_is("driver", "none")) for (SDL_Event event; SDL_PollEvent(&event);) {}
        subject->frame();
    }
    bench_far_end();
    check("posts", posted, ran);
    check("timers", armed, fired);
    check("datagrams", sent, received);
    // Who cannot do all within a frame goes on in the next one, and has missed one: that is late, and not lost, but only now and then.
    int64_t missed = count * frame_tasks - (end.resumed - first.resumed), unsent = count * frame_datagrams - (end.sent - first.sent);
    if (missed * 50 > count * frame_tasks || unsent * 50 > count * frame_datagrams) fail("the subject missed its frames");
    int64_t cold = end.cold - first.cold;
    report("ui_thread_per_frame", "us", (double)(end.ui - first.ui - cold) / (double)count / 1000);
    report("all_threads_per_frame", "us", (double)(end.all - first.all - cold) / (double)count / 1000);
    report("sleeps_per_frame", "count", (double)(end.sleeps - first.sleeps) / (double)count);
    report("missed", "events", (double)missed);
    report("posted", "events", (double)ran);
    report("fired", "events", (double)fired);
    report("sent", "events", (double)sent);
    report("received", "events", (double)received);
    report("resumed", "events", (double)resumed);
}
