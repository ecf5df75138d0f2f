// SPDX-License-Identifier: Apache-2.0
// Instruments: a clock that no simulation replaces, and the stack of another thread.
#ifndef TANDEM_CLINUX_INSTRUMENTS_H
#define TANDEM_CLINUX_INSTRUMENTS_H

#include <stdbool.h>
#include <stdint.h>

/// CLOCK_MONOTONIC in nanoseconds, also where a simulation shows a time of its own to the calling thread.
int64_t tandem_trace_clock(void);

/// Prepares `tandem_stack_of`: loads what the unwinder needs, and installs a handler of SIGURG, whose default is to be ignored. False if the program
/// has a handler of its own there, which stays. Any thread; once is enough.
bool tandem_stack_prepare(void);

/// The return addresses on the stack of the process's thread with that kernel id, the innermost first; 0 if it does not answer within
/// `nanoseconds`: it has blocked the signal, or sleeps where no signal reaches it. Interrupts the thread, as any signal does. One caller at a time.
int tandem_stack_of(int thread, void **frames, int capacity, int64_t nanoseconds);

/// What stands at an address, to be freed: the function's name, demangled, and the offset; where the name is not known, the file and its offset,
/// which addr2line takes.
char *tandem_stack_frame(void *address);

#endif
