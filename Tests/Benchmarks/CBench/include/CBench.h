// SPDX-License-Identifier: Apache-2.0
// CBench: what the benchmarks ask of C: how much is allocated, and how often.
#ifndef TANDEM_CBENCH_H
#define TANDEM_CBENCH_H

#include <stdint.h>
#include <time.h>

#include "far.h"
#include "queue.h"

/// How often the calling thread has allocated. Every `malloc`, `calloc` and `realloc` of the process comes through this target.
long bench_allocations(void);
/// Bytes in use by the whole process, large blocks included.
long bench_bytes(void);
/// CLOCK_MONOTONIC.
int64_t bench_now(void);
/// Processor time of the calling thread, in nanoseconds.
int64_t bench_thread_time(void);
/// Sleeps until a time of CLOCK_MONOTONIC.
void bench_sleep_until(int64_t nanoseconds);
/// Memory of the process in KB: all that is resident, and what is its alone and written to.
long bench_resident(void);
long bench_private(void);

#endif
