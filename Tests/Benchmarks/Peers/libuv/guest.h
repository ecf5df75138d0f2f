// SPDX-License-Identifier: Apache-2.0
// guest: libuv inside an SDL2 loop, as Electron has it inside Chromium's.
//
//   UI thread                                  poll thread
//   SDL_WaitEvent … our event:                 wait for the semaphore
//     uv_run(NOWAIT)                           epoll_wait(libuv's descriptor, uv_backend_timeout)
//     publish the timeout, post the semaphore  SDL_PushEvent(our event)
//
// design=frame: no second thread; uv_run(NOWAIT) in each frame. design=wait: likewise, and between frames one ppoll.

#pragma once
#include "../common/bench.h"
#include <uv.h>

extern uv_loop_t loop;
/// Ends `guest_run`. UI thread.
extern bool guest_done;
/// The type of the event by which the poll thread asks for a turn.
extern uint32_t guest_event;

/// Starts SDL, the loop, and the poll thread where the design has one.
void guest_start(void);
/// One turn: for the frame design each frame, for the guest when the poll thread has asked for it.
void guest_turn(void);
/// Sleeps in SDL_WaitEvent between turns (guest), or spins (frame), until `guest_done`.
void guest_run(void);
/// A frame loop that never sleeps.
void guest_spin(void);
bool guest_is_frame_design(void);
/// From any thread: `body` will run on the UI thread. A mutex, a vector, and uv_async_send when it was empty.
void guest_post(void (*body)(void *), void *context);

void wake(void);
void posts(void);
void timers(void);
void cancel(void);
void periodic(void);
void echo(void);
void idle(void);
void idletick(void);
void game(void);
void hop(void);
void smallframe(void);
void start(void);
void burst_posts(void);
void burst_timers(void);
void memory(void);
