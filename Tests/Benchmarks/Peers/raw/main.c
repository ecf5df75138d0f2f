// SPDX-License-Identifier: Apache-2.0
// The physical limit, in C. See raw.h.

#define _GNU_SOURCE
#include "raw.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

int wait_until(int poller, struct epoll_event *events, int capacity, int64_t deadline) {
    struct timespec timeout, *pointer = NULL;
    if (deadline != INT64_MAX) {
        int64_t left = deadline - now_ns();
        if (left < 0) left = 0;
        timeout = (struct timespec){left / SECOND_NS, left % SECOND_NS};
        pointer = &timeout;
    }
    int count = epoll_pwait2(poller, events, capacity, pointer, NULL);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2");
    return count < 0 ? 0 : count;
}

int new_poller(void) {
    int poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) fail("epoll_create1");
    return poller;
}

void watch(int poller, int descriptor, void *data) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) != 0) fail("epoll_ctl");
}

int main(int count, char **arguments) {
    options_read(count, arguments);
    // The kernel may otherwise be 50 µs late, to wake for several timers at once.
    prctl(PR_SET_TIMERSLACK, 1);
    static const struct {
        const char *name;
        void (*run)(void);
    } workloads[] = {
        {"wake", wake}, {"posts", posts}, {"timers", timers},     {"cancel", cancel}, {"periodic", periodic},
        {"echo", echo}, {"idle", idle},   {"idletick", idletick}, {"game", game},
        {"smallframe", smallframe}, {"server", server}, {"start", start}, {"calibrate", calibrate},
        {"burst/posts", burst_posts}, {"burst/timers", burst_timers},
    };
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(workloads[i].name, arguments[1]) != 0) continue;
        workloads[i].run();
        fflush(stdout);
        _Exit(0);
    }
    not_supported("no such workload");
}
