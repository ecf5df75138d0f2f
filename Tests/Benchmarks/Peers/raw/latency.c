// SPDX-License-Identifier: Apache-2.0
// wake, periodic, idle.
// wake's idle wait has two threads, as every guest must: one in epoll, and the UI thread in a wait of its own: on a semaphore, or
// on x11 on an eventfd and the X connection at once.

#define _GNU_SOURCE
#include "raw.h"
#include <SDL2/SDL.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

static int ends[2], bell = -1;
static sem_t turn, ready;
static struct samples delays;

static void *poll_thread(void *context) {
    (void)context;
    int poller = new_poller();
    watch(poller, ends[0], NULL);
    for (struct epoll_event event;;) {
        wait_until(poller, &event, 1, INT64_MAX);
        if (bell < 0) sem_post(&ready);
        else eventfd_write(bell, 1);
        while (sem_wait(&turn) != 0) {}
    }
    return NULL;
}

static void wait_on_connection(int connection) {
    struct pollfd descriptors[] = {{bell, POLLIN, 0}, {connection, POLLIN, 0}};
    for (;;) {
        SDL_PumpEvents();
        if (ppoll(descriptors, 2, NULL, NULL) < 1 || !(descriptors[0].revents & POLLIN)) continue;
        eventfd_t value;
        eventfd_read(bell, &value);
        return;
    }
}

static void spin(void) {
    int poller = new_poller();
    watch(poller, ends[0], NULL);
    struct epoll_event event;
    while (delays.count < delays.capacity) {
        if (wait_until(poller, &event, 1, 0) > 0) feeder_take(ends[0], &delays);
    }
}

void wake(void) {
    int64_t count = option_number("n", 300);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe");
    samples_reserve(&delays, (size_t)count);
    int connection = -1;
    if (option_is("driver", "x11")) {
        sdl_start();
        connection = sdl_connection();
        bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    feeder_wakes(ends[1], count);
    if (option_is("mode", "spin")) {
        spin();
    } else {
        sem_init(&turn, 0, 0);
        sem_init(&ready, 0, 0);
        pthread_t thread;
        pthread_create(&thread, NULL, poll_thread, NULL);
        while (delays.count < delays.capacity) {
            if (connection < 0) while (sem_wait(&ready) != 0) {}
            else wait_on_connection(connection);
            feeder_take(ends[0], &delays);
            sem_post(&turn);
        }
    }
    report_percentiles("", &delays, (size_t)count / 10);
}

// One thread that sleeps until the next point of the grid.
void periodic(void) {
    int64_t count = option_number("n", 100), period = option_number("period_ms", 5) * 1000000;
    struct samples lateness;
    samples_reserve(&lateness, (size_t)count);
    int poller = new_poller();
    struct epoll_event event;
    int64_t start = now_ns(), now = start;
    for (int64_t i = 1; i <= count; i++) {
        while ((now = now_ns()) < start + i * period) wait_until(poller, &event, 1, start + i * period);
        samples_add(&lateness, (double)(now - start - i * period));
    }
    report("drift", "ms", (double)(now - start - count * period) / 1e6);
    report_percentiles("late_", &lateness, 0);
}

void idle(void) {
    double seconds = option_decimal("seconds", 2);
    int poller = new_poller();
    struct epoll_event event;
    int64_t start = now_ns(), cpu = 0;
    struct switches before = {0, 0};
    for (int64_t i = 1; (double)i <= seconds + 1; i++) {
        while (now_ns() < start + i * SECOND_NS) wait_until(poller, &event, 1, start + i * SECOND_NS);
        if (i > 1) continue;
        // The first second is warm-up.
        before = switches_read();
        cpu = process_cpu_ns();
    }
    cpu = process_cpu_ns() - cpu;
    struct switches after = switches_read();
    report("cpu", "ms", (double)cpu / 1e6);
    report("switches", "count", (double)(after.all - before.all));
    report("wakeups", "count", (double)(after.ui - before.ui));
}
