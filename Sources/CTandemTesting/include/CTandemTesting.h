// SPDX-License-Identifier: Apache-2.0
// CTandemTesting: virtual time below the standard library.
// Idea:   `ContinuousClock.now`, `Task.sleep(for:)` and `Date()` ask the C library what time it is. This library's clock_gettime stands in front
//         of that one's, and answers a thread that runs simulated code with the simulation's time: every other thread, and the same one
//         between two ticks, gets the machine's.
// Owner:  each thread has its own time.
#ifndef TANDEM_CTANDEMTESTING_H
#define TANDEM_CTANDEMTESTING_H

#include <stdbool.h>
#include <stdint.h>

/// From here on the calling thread sees `nanoseconds` on CLOCK_BOOTTIME and CLOCK_MONOTONIC, and `elapsed` since the first of January 2001 as
/// the date.
void tandem_virtual_time_show(int64_t nanoseconds, int64_t elapsed);
/// The calling thread sees the machine's clocks again.
void tandem_virtual_time_hide(void);
bool tandem_virtual_time_is_shown(void);

#endif
