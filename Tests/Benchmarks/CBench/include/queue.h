// SPDX-License-Identifier: Apache-2.0
// queue: the main queue in a program whose main thread runs a loop of its own.
#ifndef TANDEM_BENCH_QUEUE_H
#define TANDEM_BENCH_QUEUE_H

/// What libdispatch offers to run loops: runs what the main queue has. Its name is exported, and in no header.
extern void _dispatch_main_queue_callback_4CF(void *message);
static inline void bench_pump_main_queue(void) { _dispatch_main_queue_callback_4CF(0); }

#endif
