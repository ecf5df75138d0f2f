// SPDX-License-Identifier: Apache-2.0
// asio + SDL2, in C++. design=frame: io_context::poll in each frame. design=thread: an io thread runs the context, and each
// completion is one SDL event that carries what is to be called on the UI thread.

#include "peer.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

asio::io_context context;
bool done;
static bool thread_design;
static uint32_t event_type;
static std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;

bool is_thread_design() { return thread_design; }

void start() {
    thread_design = option_is("design", "thread");
    event_type = sdl_start();
    work.emplace(context.get_executor());
}

void start_thread() {
    if (thread_design) std::thread([] { context.run(); }).detach();
}

void complete(void (*body)(void *), void *argument) {
    // A function pointer travels as data; POSIX guarantees the conversion.
    while (!sdl_push(event_type, 0, reinterpret_cast<void *>(body), argument)) std::this_thread::yield();
}

static void handle(const SDL_Event &event) {
    if (event.type == event_type) reinterpret_cast<void (*)(void *)>(event.user.data1)(event.user.data2);
}

void needs_idle_wait() {
    if (!thread_design) not_supported("a loop that is polled per frame has no idle wait");
}

void turn() { context.poll(); }

void run() {
    if (!thread_design) return spin();
    start_thread();
    SDL_Event event;
    while (!done && SDL_WaitEvent(&event)) handle(event);
}

void spin() {
    start_thread();
    while (!done) {
        for (SDL_Event event; SDL_PollEvent(&event);) handle(event);
        if (!thread_design) turn();
    }
}

void play(double seconds) {
    game_run(seconds, event_type, [](bool, void *) { turn(); }, nullptr);
}

int main(int count, char **arguments) {
    options_read(count, arguments);
    const struct {
        const char *name;
        void (*run)();
    } workloads[] = {
        {"wake", wake}, {"posts", posts}, {"timers", timers},     {"cancel", cancel}, {"periodic", periodic},
        {"echo", echo}, {"idle", idle},   {"idletick", idletick}, {"game", game},
    };
    for (auto &workload : workloads) {
        if (std::strcmp(workload.name, arguments[1]) != 0) continue;
        workload.run();
        std::fflush(stdout);
        // The io thread is in the middle of something; nothing is left to be said.
        std::_Exit(0);
    }
    not_supported("no such workload");
}
