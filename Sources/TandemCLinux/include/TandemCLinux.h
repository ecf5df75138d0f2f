// SPDX-License-Identifier: Apache-2.0
// TandemCLinux: the kernel calls that Glibc's Swift module lacks, and nothing more.
// No _GNU_SOURCE here: in a public header it breaks the clang modules. TandemCLinux.c has it.
#ifndef TANDEM_CLINUX_H
#define TANDEM_CLINUX_H

#include "Instruments.h"
#include "Signals.h"
#include "Sockets.h"
#include "Tasks.h"
#include "Work.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

/// The 64 bits of user data are read and set through functions: Swift sees packed C unions poorly.
static inline uint64_t tandem_epoll_event_data(const struct epoll_event *event) { return event->data.u64; }

/// epoll_ctl: 0, or what errno said.
static inline int tandem_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epoll, operation, descriptor, &event) == 0 ? 0 : errno;
}

/// epoll_pwait2 through its system call number, so that an older C library does not matter.
/// `timeout` NULL waits for ever. Returns -1 with errno, ENOSYS where the kernel has no such call.
int tandem_epoll_pwait2(int epoll, struct epoll_event *events, int capacity, const struct timespec *timeout);

/// Starts a detached-free (joinable) thread with every signal blocked from its first instruction on.
int tandem_thread_start(pthread_t *thread, const char *name, void *(*body)(void *), void *argument);

/// Asks the kernel to end this thread's sleeps within a nanosecond of their time instead of the usual 50 us.
/// Returns what it was before.
unsigned long tandem_thread_set_timer_slack(unsigned long nanoseconds);

/// True on the process's first thread, the one SDL and the main actor call home.
bool tandem_is_main_thread(void);

/// Kernel thread id, the number that `ps -L` and debuggers show.
int tandem_thread_id(void);
int tandem_thread_name(pthread_t thread, char *buffer, size_t size);

/// CLOCK_BOOTTIME, the clock behind Swift's ContinuousClock on Linux, in nanoseconds.
int64_t tandem_clock_nanoseconds(void);

/// How many forks lie between the process that loaded this library and this one: 0 in the parent, 1 in its child.
/// Costs one load; the count is kept by a pthread_atfork handler.
extern int tandem_forks;
static inline int tandem_fork_depth(void) { return __atomic_load_n(&tandem_forks, __ATOMIC_RELAXED); }

/// A number that no other living thread has: one load, where pthread_self is a call. Read anew each time: an async function may
/// go on elsewhere, so that no compiler may remember it.
static inline uintptr_t tandem_thread_key(void) {
    uintptr_t key;
#if defined(__x86_64__)
    __asm__ volatile("mov %%fs:0, %0" : "=r"(key));
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(key));
#else
    key = (uintptr_t)pthread_self();
#endif
    return key;
}

/// A counter that runs on whatever the thread does and costs a third of a look at the clock. It only tells whether it is worth
/// looking: after `tandem_cycles_in_10us` at most 10 us have passed, and not much less than 2.
#if defined(__x86_64__)
static inline uint64_t tandem_cycles(void) { return __builtin_ia32_rdtsc(); }
// The slowest counter in use runs at 1 GHz, the fastest at 5.
static inline uint64_t tandem_cycles_in_10us(void) { return 10000; }
#elif defined(__aarch64__)
static inline uint64_t tandem_cycles(void) {
    uint64_t count;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
}
static inline uint64_t tandem_cycles_in_10us(void) {
    uint64_t frequency;
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    return frequency / 100000;
}
#else
static inline uint64_t tandem_cycles(void) { return (uint64_t)tandem_clock_nanoseconds(); }
static inline uint64_t tandem_cycles_in_10us(void) { return 10000; }
#endif

/// A hint: the Swift closure whose two words stand here is about to be called, and what it has captured about to be read. If something else stands
/// here, nothing happens, or something is fetched in vain.
static inline void tandem_fetch_captures(const void *closure) { __builtin_prefetch(((void *const *)closure)[1]); }

/// A hint: what stands at this address, which need not exist, is about to be written. The compiler's own would fetch it for reading on x86.
static inline void tandem_fetch_for_writing(const void *address) {
#if defined(__x86_64__)
    __asm__ volatile("prefetchw (%0)" : : "r"(address));
#else
    __builtin_prefetch(address, 1);
#endif
}

/// Lets `cycles` pass without touching memory, so that another core has the bus to itself.
static inline void tandem_pause(uint64_t cycles) {
    for (uint64_t start = tandem_cycles(); tandem_cycles() - start < cycles;) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
}

/// sem_clockwait on CLOCK_MONOTONIC: a wait that nobody shortens by setting the clock.
int tandem_semaphore_wait_until(sem_t *semaphore, const struct timespec *until);

/// ppoll: waits until one of four descriptors can be read, or has failed; negative ones are left out. A negative time is for ever.
/// Gives back a bit for each that can be read (1, 2, 4, 8), and the same bits times 16 for those that are not open, which nobody else
/// would ever end a wait for. 0 if the time passed, -1 upon a signal. If the kernel refuses to wait: after a millisecond, or the time if
/// that is less, tandem_wait_was_refused and the bits of all of them, whether they can be read or not.
int tandem_wait_readable(int first, int second, int third, int fourth, int64_t nanoseconds);
enum { tandem_not_open = 16, tandem_wait_was_refused = 256 };

/// A timerfd, on CLOCK_MONOTONIC; and setting one of any clock, once, from now on: 0 stops it.
int tandem_timer_create(void);
void tandem_timer_set(int timer, int64_t nanoseconds);

/// A timerfd on CLOCK_BOOTTIME, which goes on while the machine is suspended; and setting it to a time of that clock, once. False if the
/// kernel refused.
int tandem_deadline_timer_create(void);
bool tandem_deadline_timer_set(int timer, int64_t deadline);

/// ioctl is variadic, which Swift cannot call. -1 where the descriptor does not answer.
int tandem_unread_bytes(int descriptor);

/// dup3: `descriptor` becomes another number of the file behind `file`, in one step, and is closed by exec.
int tandem_take_over(int file, int descriptor);

/// libdispatch's main queue for foreign run loops: what announces its work, and what runs it. Main thread.
extern int _dispatch_get_main_queue_handle_4CF(void);
extern void _dispatch_main_queue_callback_4CF(void *message);

#endif
