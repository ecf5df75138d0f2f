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

#endif
