// SPDX-License-Identifier: Apache-2.0
// Interrupts: what the two users of signal handlers here know of each other.
#ifndef TANDEM_INTERRUPTS_H
#define TANDEM_INTERRUPTS_H

#include <signal.h>

/// If `action` is the interrupt handler, and that has been taken back, puts what stood there before it in its place.
void tandem_interrupt_skip(int signal, struct sigaction *action);

#endif
