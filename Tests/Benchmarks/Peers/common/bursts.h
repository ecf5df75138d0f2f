// SPDX-License-Identifier: Apache-2.0
// bursts: a few posts or timers at a time, in three conditions: the process's first burst, those before which the caches were emptied (cold), and
// those that follow another one at once (warm). A subject says how it does each thing.
// Owner:  the UI thread, but for `post`.

#pragma once
#include "bench.h"

struct burst_subject {
    /// From another thread: `bursts_ran` is to be called on the UI thread.
    void (*post)(void);
    /// Sleeps until something comes, and does it.
    void (*rest)(void);
    /// Arms timer `number`, so many nanoseconds from now, after which `bursts_fired` is to be called; disarms it.
    void (*arm)(uint32_t number, int64_t delay);
    void (*disarm)(uint32_t number);
    /// Fires what is due.
    void (*turn)(void);
};

void bursts_ran(void);
void bursts_fired(void);
/// Option: n. All is reported.
void bursts_of_posts(const struct burst_subject *subject);
void bursts_of_timers(const struct burst_subject *subject);
