// SPDX-License-Identifier: Apache-2.0
// smallframe (W12). design=frame: uv_run(NOWAIT) in each frame. design=wait: between frames one ppoll on libuv's descriptor, and uv_run(NOWAIT)
// when it ends.

#define _GNU_SOURCE
#include "guest.h"
#include "../common/smallframe.h"
#include <poll.h>
#include <stdlib.h>

enum { most_timers = 4096, room = 64 };

static uv_udp_t udp;
static uv_timer_t timers_pool[most_timers];
static char buffer[room * 1500];

static void on_post(void *context) {
    (void)context;
    frame_ran();
}
static void post(void) { guest_post(on_post, NULL); }

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    frame_fired();
}

static void *arm(int64_t delay) {
    static size_t next;
    uv_timer_t *timer = &timers_pool[next++ % most_timers];
    uv_timer_start(timer, on_timer, (uint64_t)(delay + 999999) / 1000000, 0);
    return timer;
}
static void cancel_timer(void *timer) { uv_timer_stop(timer); }

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *given) {
    (void)handle, (void)suggested;
    *given = uv_buf_init(buffer, sizeof buffer);
}

static void on_datagram(uv_udp_t *handle, ssize_t size, const uv_buf_t *given, const struct sockaddr *from, unsigned flags) {
    (void)handle, (void)given, (void)flags;
    // Without an address: nothing is there any more, or the buffer is given back.
    if (size > 0 && from) frame_received(1);
}

static int send_datagrams(void) {
    static char datagram[frame_size] = {1};
    uv_buf_t bytes = uv_buf_init(datagram, sizeof datagram);
    int count = 0;
    for (int i = 0; i < frame_datagrams; i++) count += uv_udp_try_send(&udp, &bytes, 1, NULL) == frame_size;
    return count;
}

static void open_socket(int descriptor) {
    uv_udp_init_ex(&loop, &udp, AF_UNSPEC | UV_UDP_RECVMMSG);
    if (uv_udp_open(&udp, descriptor) != 0) fail("uv_udp_open");
    // libuv knows of a connection only if it has made it; the socket's own is kept.
    uv_udp_recv_start(&udp, give_buffer, on_datagram);
    for (size_t i = 0; i < most_timers; i++) uv_timer_init(&loop, &timers_pool[i]);
}

static void wait_and_work(int64_t instant) {
    struct pollfd source = {uv_backend_fd(&loop), POLLIN, 0};
    for (;;) {
        int64_t left = instant - now_ns();
        if (left <= 0) return;
        uv_update_time(&loop);
        int64_t timeout = uv_backend_timeout(&loop);
        if (timeout >= 0 && timeout * 1000000 < left) left = timeout * 1000000;
        struct timespec time = {left / SECOND_NS, left % SECOND_NS};
        ppoll(&source, 1, &time, NULL);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void frame(void) {
    uv_update_time(&loop);
    uv_run(&loop, UV_RUN_NOWAIT);
    for (int number = 0; number < frame_tasks; number++) frame_resume(number);
}

void smallframe(void) {
    static struct frame_subject subject = {open_socket, post, arm, cancel_timer, send_datagrams, sleep_until_ns, frame};
    if (option_is("design", "wait")) subject.wait = wait_and_work;
    guest_start();
    frame_run(&subject);
}
