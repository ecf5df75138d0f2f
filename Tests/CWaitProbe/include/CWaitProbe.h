// SPDX-License-Identifier: Apache-2.0
// CWaitProbe: the machine's suspend, as a process sees it.
#ifndef TANDEM_CWAITPROBE_H
#define TANDEM_CWAITPROBE_H

#include <stdbool.h>
#include <stdint.h>

/// CLOCK_BOOTTIME jumps ahead and CLOCK_MONOTONIC does not, in this process: what a machine finds that was suspended for so long.
/// With `reaches_timers` the timers of CLOCK_BOOTTIME whose time has passed by it expire, as the kernel's do; without, it is the moment
/// before they have.
void probe_suspend(int64_t nanoseconds, bool reaches_timers);

/// Processor time of the process, in nanoseconds.
int64_t probe_processor_time(void);

#endif
