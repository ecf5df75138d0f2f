// SPDX-License-Identifier: Apache-2.0
// smallframe (W12), by code for this alone: posts under a mutex, timers in a heap, one recvmmsg and one sendmmsg.
// impl=poll: once a frame. impl=wait: one ppoll sleeps until the frame's instant, a datagram, a post or a timer, whichever is first.

#define _GNU_SOURCE
#include "raw.h"
#include "heap.h"
#include "../common/smallframe.h"
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { room = 64, most_timers = 65536, most_posts = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
struct posted_call {
    void (*body)(void);
};
static struct posted_call waiting[most_posts], taken[most_posts];
static int waiting_count;
static int udp, bell = -1;

static void post(void) {
    pthread_mutex_lock(&lock);
    if (waiting_count == most_posts) fail("nobody takes the posts");
    waiting[waiting_count++] = (struct posted_call){frame_ran};
    bool rings = bell >= 0 && waiting_count == 1;
    pthread_mutex_unlock(&lock);
    if (rings) eventfd_write(bell, 1);
}

static void run_posts(void) {
    pthread_mutex_lock(&lock);
    int count = waiting_count;
    memcpy(taken, waiting, (size_t)count * sizeof *waiting);
    waiting_count = 0;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++) taken[i].body();
}

static struct heap heap;

static void *arm(int64_t delay) {
    static uint32_t next;
    uint32_t timer = next++ % most_timers;
    heap_insert(&heap, timer, now_ns() + delay);
    return (void *)(uintptr_t)timer;
}

static void cancel_timer(void *timer) { heap_remove(&heap, (uint32_t)(uintptr_t)timer); }

static void fire_timers(void) {
    int64_t now = now_ns();
    while (heap.count > 0 && heap.entries[0].deadline <= now) {
        heap_remove(&heap, heap.entries[0].timer);
        frame_fired();
    }
}

static struct mmsghdr incoming[room], outgoing[frame_datagrams];

static void receive_datagrams(void) {
    int arrived = recvmmsg(udp, incoming, room, MSG_DONTWAIT, NULL);
    if (arrived > 0) frame_received(arrived);
}

static int send_datagrams(void) {
    int count = sendmmsg(udp, outgoing, frame_datagrams, MSG_DONTWAIT);
    return count < 0 ? 0 : count;
}

static void open_socket(int descriptor) {
    if (!option_is("driver", "none")) sdl_start();
    udp = descriptor;
    static char bytes[room][1500], datagram[frame_size] = {1};
    static struct iovec in[room], out = {datagram, frame_size};
    for (int i = 0; i < room; i++) {
        in[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < frame_datagrams; i++) outgoing[i].msg_hdr = (struct msghdr){.msg_iov = &out, .msg_iovlen = 1};
    heap_reserve(&heap, most_timers);
    if (option_is("impl", "wait")) bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static void wait_and_work(int64_t instant) {
    struct pollfd sources[2] = {{udp, POLLIN, 0}, {bell, POLLIN, 0}};
    for (;;) {
        int64_t now = now_ns(), until = heap.count > 0 && heap.entries[0].deadline < instant ? heap.entries[0].deadline : instant;
        if (now >= instant) return;
        int64_t left = until > now ? until - now : 0;
        struct timespec timeout = {left / SECOND_NS, left % SECOND_NS};
        ppoll(sources, 2, &timeout, NULL);
        if (sources[0].revents) receive_datagrams();
        if (sources[1].revents) {
            eventfd_t value;
            eventfd_read(bell, &value);
            run_posts();
        }
        fire_timers();
    }
}

static void frame(void) {
    run_posts();
    receive_datagrams();
    fire_timers();
    for (int number = 0; number < frame_tasks; number++) frame_resume(number);
}

void smallframe(void) {
    bool waits = option_is("impl", "wait");
    static struct frame_subject subject = {open_socket, post, arm, cancel_timer, send_datagrams, sleep_until_ns, frame};
    if (waits) subject.wait = wait_and_work;
    frame_run(&subject);
}
