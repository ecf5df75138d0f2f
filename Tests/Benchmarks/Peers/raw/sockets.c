// SPDX-License-Identifier: Apache-2.0
// echo: impl=single: one thread in epoll. impl=guest: a second thread polls, the UI thread handles, a semaphore each way; with
// polls=64 the UI thread polls again by itself, without sleeping, up to so often before it hands the turn over. asks=1: before each
// descriptor but the first of a batch the kernel is asked whether it is still the one that was polled, as Tandem does where it does not own it.
// game: epoll without sleeping, and a heap, in each frame.

#define _GNU_SOURCE
#include "raw.h"
#include "heap.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

enum { message_size = 64, batch = 256 };

struct end {
    int descriptor;
    bool sends;
};

static int64_t round_trips;
static int poller;
static bool asks;

static void ask(int descriptor) {
    struct epoll_event event = {.events = EPOLLONESHOT};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) == 0 || errno != EEXIST) fail("a descriptor went away");
}

static void handle(struct epoll_event *events, int count) {
    char buffer[message_size];
    for (int i = 0; i < count; i++) {
        struct end *end = events[i].data.ptr;
        if (asks && i > 0) ask(end->descriptor);
        if (read(end->descriptor, buffer, message_size) != message_size) fail("read");
        round_trips += end->sends;
        if (write(end->descriptor, buffer, message_size) != message_size) fail("write");
    }
}

// echo

static sem_t turn, ready;
// Whoever has the turn owns them.
static struct epoll_event found[batch];
static int found_count;

static void *poll_thread(void *context) {
    (void)context;
    for (;;) {
        while (sem_wait(&turn) != 0) {}
        found_count = wait_until(poller, found, batch, INT64_MAX);
        sem_post(&ready);
    }
    return NULL;
}

static int64_t began, counted_from, end_warm, end_all;

// The first fifth is warm-up.
static bool is_over(void) {
    int64_t now = now_ns();
    if (began == 0 && now >= end_warm) {
        began = now;
        counted_from = round_trips;
    }
    if (now < end_all) return false;
    report("round_trips", "per_s", (double)(round_trips - counted_from) / (double)(now - began) * 1e9);
    return true;
}

void echo(void) {
    size_t pairs = (size_t)option_number("pairs", 100);
    double seconds = option_decimal("seconds", 0.3);
    int64_t polls = option_number("polls", 1);
    asks = option_number("asks", 0) == 1;
    allow_descriptors(pairs * 2);
    poller = new_poller();
    struct end *ends = calloc(pairs * 2, sizeof *ends);
    for (size_t i = 0; i < pairs; i++) {
        int descriptors[2];
        char message[message_size] = {0};
        socket_pair(descriptors);
        for (int side = 0; side < 2; side++) {
            struct end *end = &ends[2 * i + (size_t)side];
            *end = (struct end){descriptors[side], side == 0};
            watch(poller, end->descriptor, end);
        }
        if (write(descriptors[0], message, message_size) != message_size) fail("write");
    }
    int64_t start = now_ns();
    end_warm = start + (int64_t)(seconds * 0.2e9);
    end_all = start + (int64_t)(seconds * 1e9);
    if (!option_is("impl", "guest")) {
        while (!is_over()) handle(found, wait_until(poller, found, batch, INT64_MAX));
        return;
    }
    sem_init(&turn, 0, 0);
    sem_init(&ready, 0, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, poll_thread, NULL);
    while (!is_over()) {
        sem_post(&turn);
        while (sem_wait(&ready) != 0) {}
        handle(found, found_count);
        for (int64_t i = 1; i < polls; i++) {
            int count = wait_until(poller, found, batch, 0);
            if (count == 0) break;
            handle(found, count);
        }
    }
}

// game

enum { sockets = 1000, clocks = 1000, messages_per_second = 20000 };
static int64_t received, fired;
static struct heap heap;
static uint64_t chance = RANDOM_SEED;

static void frame(bool asked, void *context) {
    (void)asked, (void)context;
    char buffer[4096];
    struct epoll_event events[batch];
    int count;
    do {
        count = wait_until(poller, events, batch, 0);
        for (int i = 0; i < count; i++) {
            struct end *end = events[i].data.ptr;
            ssize_t size = read(end->descriptor, buffer, sizeof buffer);
            if (size > 0) received += size / message_size;
        }
    } while (count > 0);
    int64_t now = now_ns();
    while (heap.entries[0].deadline <= now) {
        uint32_t timer = heap.entries[0].timer;
        heap_remove(&heap, timer);
        heap_insert(&heap, timer, now + game_delay(&chance));
        fired++;
    }
}

void game(void) {
    double seconds = option_decimal("seconds", 1);
    allow_descriptors(sockets * 2);
    uint32_t type = option_is("driver", "none") ? 0 : sdl_start();
    poller = new_poller();
    static int far_ends[sockets];
    static struct end ends[sockets];
    for (size_t i = 0; i < sockets; i++) {
        int descriptors[2];
        socket_pair(descriptors);
        far_ends[i] = descriptors[1];
        ends[i] = (struct end){descriptors[0], false};
        watch(poller, descriptors[0], &ends[i]);
    }
    heap_reserve(&heap, clocks);
    int64_t now = now_ns();
    for (uint32_t i = 0; i < clocks; i++) heap_insert(&heap, i, now + game_delay(&chance));
    feeder_messages(far_ends, sockets, messages_per_second, seconds);
    game_run(seconds, type, frame, NULL);
    // Not less work than the others did.
    if ((double)received < 0.9 * (double)feeder_sent() - 200) fail("messages were left unread");
    if ((double)fired < 10000 * seconds * 0.85) fail("timers were missed");
}
