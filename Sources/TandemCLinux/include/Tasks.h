// SPDX-License-Identifier: Apache-2.0
// Tasks: the registration of a cancellation handler without an async function around what is cancelled; see `CancellableWait` in Tandem.
#ifndef TANDEM_TASKS_H
#define TANDEM_TASKS_H

/// Registers `wait` with the task that runs: `tandem_wait_was_cancelled(wait)` is called once when it is cancelled, on whatever thread, or at
/// once if it was. What is returned belongs to `tandem_cancellation_end`, which the same task calls before `wait` goes.
void *tandem_cancellation_begin(void *wait);
void tandem_cancellation_end(void *registration);

/// Defined in Swift.
__attribute__((weak)) void tandem_wait_was_cancelled(void *wait);

#endif
