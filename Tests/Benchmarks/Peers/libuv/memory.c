// SPDX-License-Identifier: Apache-2.0
// memory: bytes of each thing by malloc's own account, and allocations in the steady state.

#include "guest.h"
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { timer_count = 100000, descriptor_count = 1000, rounds = 10000, warm_up = 100 };

static void on_timer(uv_timer_t *timer) { (void)timer; }
static void on_poll(uv_poll_t *poll, int status, int events) { (void)poll, (void)status, (void)events; }

static int64_t rounds_left;

static void on_round(uv_timer_t *timer) {
    // libuv runs timers of no delay in one go, so that counting begins here.
    if (--rounds_left == rounds - warm_up) allocations_count(true);
    if (rounds_left == 0) guest_done = true;
    else uv_timer_start(timer, on_round, 0, 0);
}

static void on_event(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    uint64_t value;
    int descriptor = *(int *)poll->data;
    if (read(descriptor, &value, sizeof value) != sizeof value) fail("eventfd");
    if (--rounds_left == rounds - warm_up) allocations_count(true);
    if (rounds_left == 0) guest_done = true;
    else if (write(descriptor, &value, sizeof value) != sizeof value) fail("eventfd");
}

static void give_nothing(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(NULL, 0);
}
static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) { (void)stream, (void)size, (void)buffer; }

static int new_eventfd(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0) fail("eventfd");
    return descriptor;
}

void memory(void) {
    allow_descriptors(descriptor_count * 4);
    guest_start();
    if (!guest_is_frame_design()) guest_turn();

    int64_t before = bytes_in_use();
    for (int i = 0; i < timer_count; i++) {
        uv_timer_t *timer = malloc(sizeof *timer);
        uv_timer_init(&loop, timer);
        uv_timer_start(timer, on_timer, 3600000 + (uint64_t)i, 0);
    }
    report("timer", "bytes", (double)(bytes_in_use() - before) / timer_count);

    // What the loop keeps by descriptor number is counted, too.
    before = bytes_in_use();
    for (int i = 0; i < descriptor_count; i++) {
        uv_poll_t *poll = malloc(sizeof *poll);
        uv_poll_init(&loop, poll, new_eventfd());
        uv_poll_start(poll, UV_READABLE, on_poll);
    }
    report("registration", "bytes", (double)(bytes_in_use() - before) / descriptor_count);

    before = bytes_in_use();
    for (int i = 0; i < descriptor_count; i++) {
        int ends[2];
        socket_pair(ends);
        uv_pipe_t *pipe = malloc(sizeof *pipe);
        uv_pipe_init(&loop, pipe, 0);
        uv_pipe_open(pipe, ends[0]);
        uv_read_start((uv_stream_t *)pipe, give_nothing, on_read);
    }
    report("connection", "bytes", (double)(bytes_in_use() - before) / descriptor_count);

    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    rounds_left = rounds;
    uv_timer_start(&timer, on_round, 0, 0);
    while (!guest_done) uv_run(&loop, UV_RUN_NOWAIT);
    allocations_count(false);
    report("allocs_per_timer", "count", (double)allocations_counted() / (rounds - warm_up));

    static int descriptor;
    descriptor = new_eventfd();
    uv_poll_t poll;
    uv_poll_init(&loop, &poll, descriptor);
    poll.data = &descriptor;
    uv_poll_start(&poll, UV_READABLE, on_event);
    guest_done = false;
    rounds_left = rounds;
    eventfd_write(descriptor, 1);
    while (!guest_done) uv_run(&loop, UV_RUN_NOWAIT);
    allocations_count(false);
    report("allocs_per_io", "count", (double)allocations_counted() / (rounds - warm_up));
}
