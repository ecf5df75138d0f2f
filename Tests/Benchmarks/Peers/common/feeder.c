// SPDX-License-Identifier: Apache-2.0
// feeder: the threads on the other side: writers, senders, posters. See bench.h.
// Owner:  each function below `static void *` runs on a thread of its own; the rest on the UI thread.

#define _GNU_SOURCE
#include "bench.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void spawn(void *(*body)(void *), void *context) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, context) != 0) fail("pthread_create");
    pthread_detach(thread);
}

// Wakes

struct wakes {
    int descriptor;
    int64_t count;
};

static void *write_wakes(void *context) {
    struct wakes wakes = *(struct wakes *)context;
    free(context);
    uint64_t state = RANDOM_SEED;
    int64_t next = now_ns() + 20000000;
    for (int64_t i = 0; i < wakes.count; i++) {
        next += 500000 + (int64_t)(random_next(&state) % 1000000);
        sleep_until_ns(next);
        int64_t stamp = now_ns();
        if (write(wakes.descriptor, &stamp, sizeof stamp) != sizeof stamp) fail("the wakes' pipe");
    }
    return NULL;
}

void feeder_wakes(int descriptor, int64_t count) {
    struct wakes *wakes = malloc(sizeof *wakes);
    *wakes = (struct wakes){descriptor, count};
    spawn(write_wakes, wakes);
}

bool feeder_take(int descriptor, struct samples *delays) {
    int64_t stamps[64];
    ssize_t size = read(descriptor, stamps, sizeof stamps);
    if (size <= 0) return false;
    int64_t now = now_ns();
    for (size_t i = 0; i < (size_t)size / sizeof stamps[0]; i++) samples_add(delays, (double)(now - stamps[i]));
    return true;
}

// Messages

struct messages {
    const int *sockets;
    size_t count;
    int64_t rate;
    double seconds;
};
static _Atomic int64_t messages_cpu, messages_sent;

static void *send_messages(void *context) {
    struct messages messages = *(struct messages *)context;
    free(context);
    uint64_t state = RANDOM_SEED;
    char message[64] = {0};
    int64_t next = now_ns(), end = next + (int64_t)(messages.seconds * 1e9);
    // A bunch each millisecond: a network does not send evenly either.
    while (next < end) {
        next += 1000000;
        sleep_until_ns(next);
        for (int64_t i = 0; i < messages.rate / 1000; i++) {
            int socket = messages.sockets[random_next(&state) % messages.count];
            // A full socket is the subject's lateness, and shows as a message that was not sent.
            if (write(socket, message, sizeof message) == (ssize_t)sizeof message)
                atomic_fetch_add_explicit(&messages_sent, 1, memory_order_relaxed);
        }
        atomic_store_explicit(&messages_cpu, thread_cpu_ns(), memory_order_relaxed);
    }
    return NULL;
}

void feeder_messages(const int *sockets, size_t count, int64_t rate, double seconds) {
    struct messages *messages = malloc(sizeof *messages);
    *messages = (struct messages){sockets, count, rate, seconds};
    spawn(send_messages, messages);
}

int64_t feeder_cpu_ns(void) { return atomic_load_explicit(&messages_cpu, memory_order_relaxed); }
int64_t feeder_sent(void) { return atomic_load_explicit(&messages_sent, memory_order_relaxed); }

// Posts

struct posts {
    int64_t count;
    void (*post)(void *);
    void *context;
    atomic_bool *start;
};

static void *make_posts(void *context) {
    struct posts posts = *(struct posts *)context;
    while (!atomic_load_explicit(posts.start, memory_order_acquire)) {}
    for (int64_t i = 0; i < posts.count; i++) posts.post(posts.context);
    return NULL;
}

int64_t feeder_posts(int threads, int64_t count, void (*post)(void *), void *context) {
    // Never freed: a thread may look at it later.
    atomic_bool *start = malloc(sizeof *start);
    atomic_init(start, false);
    struct posts *posts = malloc(sizeof *posts * (size_t)threads);
    for (int i = 0; i < threads; i++) {
        int64_t share = count / threads + (i < count % threads);
        posts[i] = (struct posts){share, post, context, start};
        spawn(make_posts, &posts[i]);
    }
    usleep(5000);
    int64_t began = now_ns();
    atomic_store_explicit(start, true, memory_order_release);
    return began;
}
