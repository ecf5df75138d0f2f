// SPDX-License-Identifier: Apache-2.0
// GLib's main context + SDL2, in C: the small frame (W12), as a GTK program's code would do it. Sources of our own making would be faster; these are
// the ones that GLib offers: idle sources for posts, timeouts in milliseconds, a GSocket's source, g_socket_send_messages.
// design=frame: the context is run dry once a frame. design=wait: it runs until the frame's instant, which is a timeout as well.

#define _GNU_SOURCE
#include "../common/smallframe.h"
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

enum { room = 16 };

static GSocket *udp;

static gboolean on_post(gpointer context) {
    (void)context;
    frame_ran();
    return G_SOURCE_REMOVE;
}

// As g_idle_add, but not behind everything else.
static void post(void) { g_idle_add_full(G_PRIORITY_DEFAULT, on_post, NULL, NULL); }

static gboolean on_timer(gpointer context) {
    (void)context;
    frame_fired();
    return G_SOURCE_REMOVE;
}

static void *arm(int64_t delay) { return GUINT_TO_POINTER(g_timeout_add((guint)((delay + 999999) / 1000000), on_timer, NULL)); }
static void cancel_timer(void *timer) { g_source_remove(GPOINTER_TO_UINT(timer)); }

static gboolean on_datagrams(GSocket *socket, GIOCondition condition, gpointer context) {
    (void)condition, (void)context;
    static char bytes[room][1500];
    static GInputVector vectors[room];
    GInputMessage messages[room];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < room; i++) {
        vectors[i] = (GInputVector){bytes[i], sizeof bytes[i]};
        messages[i].vectors = &vectors[i];
        messages[i].num_vectors = 1;
    }
    int count = g_socket_receive_messages(socket, messages, room, 0, NULL, NULL);
    if (count > 0) frame_received(count);
    return G_SOURCE_CONTINUE;
}

static int send_datagrams(void) {
    static char datagram[frame_size] = {1};
    static GOutputVector vector = {datagram, frame_size};
    GOutputMessage messages[frame_datagrams];
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < frame_datagrams; i++) {
        messages[i].vectors = &vector;
        messages[i].num_vectors = 1;
    }
    int count = g_socket_send_messages(udp, messages, frame_datagrams, 0, NULL, NULL);
    return count < 0 ? 0 : count;
}

static void open_socket(int descriptor) {
    sdl_start();
    udp = g_socket_new_from_fd(descriptor, NULL);
    if (!udp) fail("g_socket_new_from_fd");
    g_socket_set_blocking(udp, FALSE);
    GSource *source = g_socket_create_source(udp, G_IO_IN, NULL);
    // GLib gives every kind of source the type of a plain callback.
    g_source_set_callback(source, (GSourceFunc)(void (*)(void))on_datagrams, NULL, NULL);
    g_source_attach(source, NULL);
}

static gboolean on_instant(gpointer is_over) {
    *(bool *)is_over = true;
    return G_SOURCE_REMOVE;
}

// The last part of a millisecond is slept through: GLib counts no finer.
static void wait_and_work(int64_t instant) {
    int64_t milliseconds = (instant - now_ns()) / 1000000;
    if (milliseconds > 0) {
        bool is_over = false;
        g_timeout_add_full(G_PRIORITY_HIGH, (guint)milliseconds, on_instant, &is_over, NULL);
        while (!is_over) g_main_context_iteration(NULL, TRUE);
    }
    sleep_until_ns(instant);
}

static void frame(void) {
    while (g_main_context_iteration(NULL, FALSE)) {}
    for (int number = 0; number < frame_tasks; number++) frame_resume(number);
}

int main(int count, char **arguments) {
    options_read(count, arguments);
    if (strcmp(arguments[1], "smallframe") != 0) not_supported("no such workload");
    static struct frame_subject subject = {open_socket, post, arm, cancel_timer, send_datagrams, sleep_until_ns, frame};
    if (option_is("design", "wait")) subject.wait = wait_and_work;
    frame_run(&subject);
    fflush(stdout);
    return 0;
}
