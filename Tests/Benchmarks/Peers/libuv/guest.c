// SPDX-License-Identifier: Apache-2.0
// The guest's two threads, and its inbox. See guest.h.

#define _GNU_SOURCE
#include "guest.h"
#include <SDL2/SDL.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

uv_loop_t loop;
bool guest_done;
uint32_t guest_event;

static bool frame_design;
static sem_t turn;
// Written before `turn` is posted, read after it was taken.
static int timeout;

static void *poll_thread(void *context) {
    (void)context;
    // Level-triggered, on libuv's own descriptor: that it is readable means that one of its descriptors is ready.
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(poller, EPOLL_CTL_ADD, uv_backend_fd(&loop), &event);
    for (;;) {
        while (sem_wait(&turn) != 0) {}
        int result;
        do result = epoll_wait(poller, &event, 1, timeout);
        while (result < 0 && errno == EINTR);
        while (!sdl_push(guest_event, 0, NULL, NULL)) SDL_Delay(1);
    }
    return NULL;
}

void guest_turn(void) {
    uv_run(&loop, UV_RUN_NOWAIT);
    if (frame_design) return;
    uv_update_time(&loop);
    timeout = uv_backend_timeout(&loop);
    sem_post(&turn);
}

static uv_async_t arrival;
static void take_posts(uv_async_t *handle);

void guest_start(void) {
    frame_design = option_is("design", "frame") || option_is("design", "wait");
    if (!guest_event) guest_event = sdl_start();
    uv_loop_init(&loop);
    uv_async_init(&loop, &arrival, take_posts);
    if (frame_design) return;
    sem_init(&turn, 0, 0);
    pthread_t thread;
    if (pthread_create(&thread, NULL, poll_thread, NULL) != 0) fail("pthread_create");
}

bool guest_is_frame_design(void) { return frame_design; }

void guest_run(void) {
    if (frame_design) {
        guest_spin();
        return;
    }
    guest_turn();
    SDL_Event event;
    while (!guest_done && SDL_WaitEvent(&event)) {
        if (event.type == guest_event) guest_turn();
    }
}

void guest_spin(void) {
    if (!frame_design) guest_turn();
    while (!guest_done) {
        for (SDL_Event event; SDL_PollEvent(&event);) {
            if (event.type == guest_event) guest_turn();
        }
        if (frame_design) guest_turn();
    }
}

// The inbox: whoever finds it empty wakes the loop; the loop takes all at once.

struct posting {
    void (*body)(void *);
    void *context;
};
struct postings {
    struct posting *items;
    size_t count, capacity;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct postings inbox;  // under `lock`
static struct postings taken;  // the UI thread's

void guest_post(void (*body)(void *), void *context) {
    pthread_mutex_lock(&lock);
    if (inbox.count == inbox.capacity) {
        inbox.capacity = inbox.capacity ? inbox.capacity * 2 : 64;
        inbox.items = realloc(inbox.items, inbox.capacity * sizeof *inbox.items);
    }
    bool was_empty = inbox.count == 0;
    inbox.items[inbox.count++] = (struct posting){body, context};
    pthread_mutex_unlock(&lock);
    if (was_empty) uv_async_send(&arrival);
}

static void take_posts(uv_async_t *handle) {
    (void)handle;
    pthread_mutex_lock(&lock);
    struct postings swapped = taken;
    taken = inbox;
    inbox = swapped;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < taken.count; i++) taken.items[i].body(taken.items[i].context);
    taken.count = 0;
}
