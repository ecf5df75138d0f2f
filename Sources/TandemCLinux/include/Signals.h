// SPDX-License-Identifier: Apache-2.0
// Signals: the process's signals, by way of handlers, and the masks of threads that run the user's code.
#ifndef TANDEM_SIGNALS_H
#define TANDEM_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/// Where signals arrive: an eventfd that can be read once one has, and which ones.
typedef struct tandem_signal_receiver tandem_signal_receiver;

/// Makes a receiver of no signals; NULL with errno.
tandem_signal_receiver *tandem_signals_open(void);
/// Its eventfd. The caller closes it, after `tandem_signals_end`.
int tandem_signals_descriptor(const tandem_signal_receiver *receiver);

/// From now on the receiver gets that signal. Any thread.
///
/// `takes`: for itself; until its end the signal does nothing else. Otherwise it is told of requests to end (SIGINT, SIGTERM, SIGHUP), beside
/// whatever handler stood there before; a second SIGINT or SIGTERM takes the default action, which is the end: the first one got no answer.
/// Returns false, with errno, for signals that cannot be handled; and, unless it `takes` them, for those that the process ignores, which are left alone.
bool tandem_signals_receive(tandem_signal_receiver *receiver, int signal, bool takes);
/// The lowest number that has arrived, and forgets it; -1 with EAGAIN if none has. `was_handled`: a former handler was called, too.
int tandem_signals_take(tandem_signal_receiver *receiver, bool *was_handled);
/// Ends all that it receives, and puts back former handlers that nobody has replaced since. No handler writes to its eventfd afterwards. Any
/// thread; harmless when repeated.
void tandem_signals_end(tandem_signal_receiver *receiver);
/// After its end.
void tandem_signals_free(tandem_signal_receiver *receiver);

/// The calling thread's mask becomes that of threads on which blocking code of the user's runs, from their next start on.
void tandem_workers_take_mask_of_this_thread(void);
/// The calling thread, which blocks every signal, takes that mask: a process that is started there inherits it.
void tandem_worker_sets_mask(void);

#endif
