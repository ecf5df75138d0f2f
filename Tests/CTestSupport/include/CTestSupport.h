// SPDX-License-Identifier: Apache-2.0
// CTestSupport: what tests need of the kernel and Swift hides.
#ifndef TANDEM_CTESTSUPPORT_H
#define TANDEM_CTESTSUPPORT_H

/// Forks; the child calls `body` and ends. Returns the child's wait status.
int test_fork(void (*body)(void *), void *argument);

/// How many bytes the process has from the C library's allocator, in use or kept for this thread.
long test_allocated_bytes(void);

/// A signal to this thread every `microseconds`, whose handler does nothing and does not restart system calls; 0 ends it.
void test_alarm_storm(int microseconds);

/// Installs a handler that calls whatever handler stands there now, as other libraries do. Once for each signal.
void test_chain_signal(int number);
/// How often it was called.
int test_chain_calls(void);

/// The calling thread blocks no signal from here on.
void test_block_no_signal(void);

/// Does the system's default await the signal?
int test_signal_is_default(int number);

/// From now on accept4 fails with `error` on this thread and those that it starts: what a sandbox does. 0 if that was arranged.
int test_refuse_accept(int error);

/// A pidfd of a child that has ended.
int test_pidfd_of_the_dead(void);

/// A timerfd that runs off every millisecond, and a descriptor of inotify with something to read.
int test_timer(void);
int test_inotify(void);

/// How long this thread has computed, in nanoseconds.
long test_thread_time(void);

#endif
