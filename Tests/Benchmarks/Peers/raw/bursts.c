// SPDX-License-Identifier: Apache-2.0
// Bursts by code for these alone: posts under a mutex and an eventfd on which the UI thread sleeps; timers in a heap.

#define _GNU_SOURCE
#include "raw.h"
#include "heap.h"
#include "../common/bursts.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

enum { most = 65536 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*waiting[most])(void), (*taken[most])(void);
static size_t waiting_count;
static int bell;

static void post(void) {
    pthread_mutex_lock(&lock);
    if (waiting_count == most) fail("nobody takes the posts");
    waiting[waiting_count++] = bursts_ran;
    bool rings = waiting_count == 1;
    pthread_mutex_unlock(&lock);
    if (rings) eventfd_write(bell, 1);
}

static void rest(void) {
    eventfd_t value;
    eventfd_read(bell, &value);
    pthread_mutex_lock(&lock);
    size_t count = waiting_count;
    memcpy(taken, waiting, count * sizeof *waiting);
    waiting_count = 0;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < count; i++) taken[i]();
}

static struct heap heap;

static void arm(uint32_t number, int64_t delay) { heap_insert(&heap, number, now_ns() + delay); }
static void disarm(uint32_t number) { heap_remove(&heap, number); }

static void turn(void) {
    int64_t now = now_ns();
    while (heap.count > 0 && heap.entries[0].deadline <= now) {
        heap_remove(&heap, heap.entries[0].timer);
        bursts_fired();
    }
}

static const struct burst_subject subject = {post, rest, arm, disarm, turn};

void burst_posts(void) {
    bell = eventfd(0, EFD_CLOEXEC);
    bursts_of_posts(&subject);
}

void burst_timers(void) {
    heap_reserve(&heap, (size_t)option_number("n", 1000));
    bursts_of_timers(&subject);
}
