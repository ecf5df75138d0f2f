// SPDX-License-Identifier: Apache-2.0
// smallframe: the work of W12 for peers in C: frames, posters, datagrams, and the count of everything. A subject says how it does each thing.
// Owner:  the UI thread, but for `post`.

#pragma once
#include "bench.h"

enum { frame_tasks = 3, frame_datagrams = 8, frame_timers = 5, frame_posts_of_thread = 5, frame_size = 64 };

struct frame_subject {
    /// Takes a connected socket that does not block.
    void (*start)(int descriptor);
    /// From any thread: `frame_ran` is to be called on the UI thread.
    void (*post)(void);
    /// `frame_fired` is to be called after `delay` nanoseconds. `cancel` takes what it gives.
    void *(*arm)(int64_t delay);
    void (*cancel)(void *timer);
    /// Sends `frame_datagrams` datagrams of `frame_size`; how many it sent.
    int (*send)(void);
    /// Sleeps until an instant. A subject that is woken works meanwhile.
    void (*wait)(int64_t instant);
    /// Does what there is to do; within it, `frame_resume` once for each task.
    void (*frame)(void);
};

void frame_ran(void);
void frame_fired(void);
void frame_received(int count);
/// A task goes on, since its frame is there. Task 0 sends.
void frame_resume(int number);

/// Does everything, and reports. Options: seconds, fps, cold_mb (0: the caches stay as they are).
void frame_run(const struct frame_subject *subject);
