// SPDX-License-Identifier: Apache-2.0
// echo, game: many sockets on the UI thread. impl=streams (uv_pipe_t) or poll (uv_poll_t and read, write).

#include "guest.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { message_size = 64 };

struct end {
    union {
        uv_poll_t poll;
        uv_pipe_t pipe;
    };
    uv_write_t write;
    int descriptor;
    bool sends;
    char buffer[message_size];
};

static int64_t round_trips;
static int64_t counted_from, began;
static uv_timer_t phase;

// The first fifth is warm-up.
static void on_end(uv_timer_t *timer) {
    (void)timer;
    report("round_trips", "per_s", (double)(round_trips - counted_from) / (double)(now_ns() - began) * 1e9);
    guest_done = true;
}

static void on_warm(uv_timer_t *timer) {
    counted_from = round_trips;
    began = now_ns();
    uv_timer_start(timer, on_end, (uint64_t)(option_decimal("seconds", 0.3) * 800), 0);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    (void)events;
    struct end *end = (struct end *)poll;
    if (status != 0) fail("uv_poll");
    ssize_t size = read(end->descriptor, end->buffer, message_size);
    if (size < 0 && errno == EAGAIN) return;
    if (size != message_size) fail("a message came in pieces");
    round_trips += end->sends;
    if (write(end->descriptor, end->buffer, message_size) != message_size) fail("write");
}

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    (void)suggested;
    *buffer = uv_buf_init(((struct end *)handle)->buffer, message_size);
}

static void on_written(uv_write_t *request, int status) {
    (void)request;
    if (status != 0) fail("uv_write");
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    (void)buffer;
    struct end *end = (struct end *)stream;
    if (size == 0) return;
    if (size != message_size) fail("a message came in pieces");
    round_trips += end->sends;
    uv_buf_t answer = uv_buf_init(end->buffer, message_size);
    // Given to the kernel at once where it fits; a request keeps its memory until on_written.
    if (uv_write(&end->write, stream, &answer, 1, on_written) != 0) fail("uv_write");
}

void echo(void) {
    size_t pairs = (size_t)option_number("pairs", 100);
    bool streams = option_is("impl", "streams");
    allow_descriptors(pairs * 2);
    guest_start();
    if (guest_is_frame_design()) not_supported("a loop that is polled per frame has no idle wait");
    struct end *ends = calloc(pairs * 2, sizeof *ends);
    for (size_t i = 0; i < pairs; i++) {
        int descriptors[2];
        socket_pair(descriptors);
        for (int side = 0; side < 2; side++) {
            struct end *end = &ends[2 * i + (size_t)side];
            end->descriptor = descriptors[side];
            end->sends = side == 0;
            if (streams) {
                uv_pipe_init(&loop, &end->pipe, 0);
                if (uv_pipe_open(&end->pipe, end->descriptor) != 0) fail("uv_pipe_open");
                uv_read_start((uv_stream_t *)&end->pipe, give_buffer, on_read);
            } else {
                uv_poll_init(&loop, &end->poll, end->descriptor);
                uv_poll_start(&end->poll, UV_READABLE, on_ready);
            }
        }
        if (write(descriptors[0], ends[2 * i].buffer, message_size) != message_size) fail("write");
    }
    uv_timer_init(&loop, &phase);
    uv_update_time(&loop);
    uv_timer_start(&phase, on_warm, (uint64_t)(option_decimal("seconds", 0.3) * 200), 0);
    guest_run();
}

// game

static int64_t received, fired;

static void on_message(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    char buffer[4096];
    struct end *end = (struct end *)poll;
    ssize_t size = read(end->descriptor, buffer, sizeof buffer);
    if (size > 0) received += size / message_size;
}

static uint64_t chance = RANDOM_SEED;
static void on_fired(uv_timer_t *timer);

static void arm(uv_timer_t *timer) { uv_timer_start(timer, on_fired, (uint64_t)(game_delay(&chance) + 999999) / 1000000, 0); }

static void on_fired(uv_timer_t *timer) {
    fired++;
    arm(timer);
}

static void frame(bool asked, void *context) {
    (void)context;
    if (asked || guest_is_frame_design()) guest_turn();
}

void game(void) {
    enum { sockets = 1000, clocks = 1000, messages_per_second = 20000 };
    double seconds = option_decimal("seconds", 1);
    allow_descriptors(sockets * 2);
    guest_start();
    static int far_ends[sockets];
    static uv_timer_t timers[clocks];
    struct end *ends = calloc(sockets, sizeof *ends);
    for (size_t i = 0; i < sockets; i++) {
        int descriptors[2];
        socket_pair(descriptors);
        ends[i].descriptor = descriptors[0];
        far_ends[i] = descriptors[1];
        uv_poll_init(&loop, &ends[i].poll, descriptors[0]);
        uv_poll_start(&ends[i].poll, UV_READABLE, on_message);
    }
    for (size_t i = 0; i < clocks; i++) {
        uv_timer_init(&loop, &timers[i]);
        arm(&timers[i]);
    }
    guest_turn();
    feeder_messages(far_ends, sockets, messages_per_second, seconds);
    game_run(seconds, guest_event, frame, NULL);
    // Not less work than the others did.
    if ((double)received < 0.9 * (double)feeder_sent() - 200) fail("messages were left unread");
    if ((double)fired < 10000 * seconds * 0.85) fail("timers were missed");
}
