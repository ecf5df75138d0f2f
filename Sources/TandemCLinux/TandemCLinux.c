// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "TandemCLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

int tandem_epoll_pwait2(int epoll, struct epoll_event *events, int capacity, const struct timespec *timeout) {
    return (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, timeout, NULL, (size_t)0);
}

struct thread_start {
    void *(*body)(void *);
    void *argument;
    char name[16];
};

// The thread names itself, so that its body never runs under the creator's name. That is one system call; naming another thread
// opens a file in /proc.
static void *start_thread(void *raw) {
    struct thread_start start = *(struct thread_start *)raw;
    free(raw);
    pthread_setname_np(pthread_self(), start.name);
    return start.body(start.argument);
}

int tandem_thread_start(pthread_t *thread, const char *name, void *(*body)(void *), void *argument) {
    struct thread_start *start = calloc(1, sizeof *start);
    if (start == NULL) {
        return ENOMEM;
    }
    start->body = body;
    start->argument = argument;
    strncpy(start->name, name, sizeof start->name - 1);
    // A new thread inherits its creator's mask: block everything around the creation, so that no signal
    // can reach the thread before it blocks them itself.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(thread, NULL, start_thread, start);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        free(start);
    }
    return failure;
}

unsigned long tandem_thread_set_timer_slack(unsigned long nanoseconds) {
    int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    if (before < 0) {
        // Older kernels' policies may refuse the question; then nothing is changed that could not be put back.
        return nanoseconds;
    }
    if ((unsigned long)before != nanoseconds) {
        prctl(PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0);
    }
    return (unsigned long)before;
}

static pthread_t main_thread;

__attribute__((constructor)) static void remember_main_thread(void) { main_thread = pthread_self(); }

bool tandem_is_main_thread(void) { return pthread_equal(main_thread, pthread_self()) != 0; }

int tandem_thread_id(void) { return (int)syscall(SYS_gettid); }

int tandem_thread_name(pthread_t thread, char *buffer, size_t size) {
    return pthread_getname_np(thread, buffer, size);
}

int tandem_forks;

static void count_fork(void) { __atomic_fetch_add(&tandem_forks, 1, __ATOMIC_RELAXED); }

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, count_fork); }

int64_t tandem_clock_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int tandem_semaphore_wait_until(sem_t *semaphore, const struct timespec *until) {
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, until);
}

int tandem_wait_readable(int first, int second, int third, int fourth, int64_t nanoseconds) {
    struct pollfd all[4] = {{first, POLLIN, 0}, {second, POLLIN, 0}, {third, POLLIN, 0}, {fourth, POLLIN, 0}};
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int count = fourth >= 0 ? 4 : third >= 0 ? 3 : 2;
    if (ppoll(all, (nfds_t)count, nanoseconds < 0 ? NULL : &time, NULL) < 0) {
        if (errno == EINTR) {
            return -1;
        }
        // No descriptor can be watched. Whoever waits looks at all of them itself, in steps, so that nothing is lost and no core is kept busy.
        int64_t step = nanoseconds < 0 || nanoseconds > 1000000 ? 1000000 : nanoseconds;
        nanosleep(&(struct timespec){0, step}, NULL);
        int all_open = 0;
        for (int index = 0; index < count; index++) {
            all_open |= all[index].fd >= 0 ? 1 << index : 0;
        }
        return tandem_wait_was_refused | all_open;
    }
    int ready = 0;
    for (int index = 0; index < count; index++) {
        if (all[index].revents & POLLNVAL) {
            ready |= tandem_not_open << index;
        } else if (all[index].revents != 0) {
            ready |= 1 << index;
        }
    }
    return ready;
}

int tandem_timer_create(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }

void tandem_timer_set(int timer, int64_t nanoseconds) {
    struct itimerspec when = {.it_value = {nanoseconds / 1000000000, nanoseconds % 1000000000}};
    timerfd_settime(timer, 0, &when, NULL);
}

int tandem_deadline_timer_create(void) { return timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK); }

bool tandem_deadline_timer_set(int timer, int64_t deadline) {
    struct itimerspec when = {.it_value = {deadline / 1000000000, deadline % 1000000000}};
    return timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}

int tandem_unread_bytes(int descriptor) {
    int bytes = 0;
    return ioctl(descriptor, FIONREAD, &bytes) == 0 ? bytes : -1;
}

int tandem_take_over(int file, int descriptor) { return dup3(file, descriptor, O_CLOEXEC); }

// Defined in Swift where the toolchain has custom executors.
__attribute__((weak)) void tandem_install_executors(void);

__attribute__((constructor)) static void before_main(void) {
    // What announces the main queue's work exists from the first call on; work that came before would not be announced.
    _dispatch_get_main_queue_handle_4CF();
    if (tandem_install_executors) {
        tandem_install_executors();
    }
}
