// SPDX-License-Identifier: Apache-2.0
// raw: what the kernel and the machine allow, with code written for each workload alone. No library, no generality: a limit, not
// an event loop.

#pragma once
#include "../common/bench.h"
#include <sys/epoll.h>
#include <time.h>

/// Sleeps in epoll until a descriptor is ready or `deadline`; INT64_MAX: no deadline.
int wait_until(int poller, struct epoll_event *events, int capacity, int64_t deadline);
int new_poller(void);
/// Watches for input.
void watch(int poller, int descriptor, void *data);

void wake(void);
void posts(void);
void timers(void);
void cancel(void);
void periodic(void);
void echo(void);
void idle(void);
void idletick(void);
void game(void);
void smallframe(void);
void server(void);
void start(void);
void burst_posts(void);
void burst_timers(void);
/// How much of the processors this machine has to give now.
void calibrate(void);
