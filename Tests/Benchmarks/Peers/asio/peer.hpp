// SPDX-License-Identifier: Apache-2.0
// What asio's workloads share. See main.cpp for the two designs.

#pragma once
#define ASIO_STANDALONE
#include <SDL2/SDL.h>
#include <asio.hpp>

#include <optional>
#include <thread>

#include "../common/bench.h"

extern asio::io_context context;
/// Ends `run` and `spin`. UI thread.
extern bool done;

bool is_thread_design();
void start();
/// thread design: sleeps in SDL_WaitEvent between completions. frame design: spins.
void run();
/// A frame loop that never sleeps.
void spin();
/// frame design: what a frame does for the context.
void turn();
void needs_idle_wait();
/// io thread: one SDL event, upon which the UI thread calls `body`.
void complete(void (*body)(void *), void *argument);
/// Calls `body(argument)` on the UI thread: at once where that polls the context, by way of an event where the io thread does.
inline void on_ui(void (*body)(void *), void *argument) {
    if (is_thread_design()) complete(body, argument);
    else body(argument);
}
/// frame design: the frames of `game`.
void play(double seconds);

void wake();
void posts();
void timers();
void cancel();
void periodic();
void echo();
void idle();
void idletick();
void game();
