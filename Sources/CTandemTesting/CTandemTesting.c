// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CTandemTesting.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

#define FIRST_OF_JANUARY_2001 978307200

static _Thread_local bool is_shown;
static _Thread_local int64_t shown_nanoseconds;
static _Thread_local int64_t shown_elapsed;

void tandem_virtual_time_show(int64_t nanoseconds, int64_t elapsed) {
    is_shown = true;
    shown_nanoseconds = nanoseconds;
    shown_elapsed = elapsed;
}

void tandem_virtual_time_hide(void) { is_shown = false; }

bool tandem_virtual_time_is_shown(void) { return is_shown; }

static int answer(struct timespec *time, int64_t seconds, int64_t nanoseconds) {
    time->tv_sec = (time_t)(seconds + nanoseconds / 1000000000);
    time->tv_nsec = (long)(nanoseconds % 1000000000);
    return 0;
}

// Visible, so that shared libraries find it before the C library's.
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time) {
    if (is_shown) {
        switch (clock) {
        case CLOCK_BOOTTIME:
        case CLOCK_MONOTONIC:
        case CLOCK_MONOTONIC_RAW:
        case CLOCK_MONOTONIC_COARSE: return answer(time, 0, shown_nanoseconds);
        case CLOCK_REALTIME:
        case CLOCK_REALTIME_COARSE: return answer(time, FIRST_OF_JANUARY_2001, shown_elapsed);
        default: break;
        }
    }
    static _Atomic(int (*)(clockid_t, struct timespec *)) next;
    int (*real)(clockid_t, struct timespec *) = atomic_load_explicit(&next, memory_order_relaxed);
    if (!real) {
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        atomic_store_explicit(&next, real, memory_order_relaxed);
    }
    return real(clock, time);
}
