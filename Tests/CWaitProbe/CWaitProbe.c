// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CWaitProbe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// A process cannot suspend its machine. It can stand between itself and the clock: the calls below are found before the C library's, and
// what they do not change, the kernel does.

#define MOST_DESCRIPTORS 1024

static _Atomic int64_t suspended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_boot_timer[MOST_DESCRIPTORS];
/// What each timer of CLOCK_BOOTTIME is set to, by the clock that this process sees; 0 if it is not.
static int64_t deadlines[MOST_DESCRIPTORS];

static struct timespec time_of(int64_t nanoseconds) {
    return (struct timespec){nanoseconds / 1000000000, nanoseconds % 1000000000};
}

static int64_t nanoseconds_of(const struct timespec *time) { return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec; }

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_BOOTTIME) {
        *time = time_of(nanoseconds_of(time) + atomic_load(&suspended));
    }
    return result;
}

static int arm(int timer) {
    int64_t left = deadlines[timer] - atomic_load(&suspended);
    struct itimerspec when = {.it_value = time_of(left > 1 ? left : 1)};
    return (int)syscall(SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, &when, NULL);
}

__attribute__((visibility("default"))) int timerfd_create(clockid_t clock, int flags) {
    int timer = (int)syscall(SYS_timerfd_create, clock, flags);
    if (timer >= 0 && timer < MOST_DESCRIPTORS) {
        pthread_mutex_lock(&lock);
        is_boot_timer[timer] = clock == CLOCK_BOOTTIME;
        deadlines[timer] = 0;
        pthread_mutex_unlock(&lock);
    }
    return timer;
}

__attribute__((visibility("default"))) int timerfd_settime(
    int timer, int flags, const struct itimerspec *new_value, struct itimerspec *old_value) {
    pthread_mutex_lock(&lock);
    int result;
    if (timer >= 0 && timer < MOST_DESCRIPTORS && is_boot_timer[timer] && (flags & TFD_TIMER_ABSTIME)) {
        deadlines[timer] = nanoseconds_of(&new_value->it_value);
        result = arm(timer);
    } else {
        result = (int)syscall(SYS_timerfd_settime, timer, flags, new_value, old_value);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

void probe_suspend(int64_t nanoseconds, bool reaches_timers) {
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&suspended, nanoseconds);
    for (int timer = 0; reaches_timers && timer < MOST_DESCRIPTORS; timer++) {
        if (is_boot_timer[timer] && deadlines[timer] != 0) {
            arm(timer);
        }
    }
    pthread_mutex_unlock(&lock);
}

int64_t probe_processor_time(void) {
    struct timespec time;
    syscall(SYS_clock_gettime, CLOCK_PROCESS_CPUTIME_ID, &time);
    return nanoseconds_of(&time);
}
