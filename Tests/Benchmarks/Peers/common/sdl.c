// SPDX-License-Identifier: Apache-2.0
// SDL's part: start, push, and the frames of the workload `game`. See bench.h.

#include "bench.h"
#include <SDL2/SDL.h>
#include <SDL2/SDL_syswm.h>
#include <string.h>

static SDL_Window *window;

uint32_t sdl_start(void) {
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    if (SDL_Init(SDL_INIT_VIDEO) != 0) fail(SDL_GetError());
    if (strcmp(SDL_GetCurrentVideoDriver(), option_text("driver", "dummy")) != 0) fail("SDL has chosen another driver");
    // With a window, SDL's wait blocks where the driver can; without one it polls.
    window = SDL_CreateWindow("peer", 0, 0, 320, 240, 0);
    if (!window) fail(SDL_GetError());
    for (SDL_Event event; SDL_WaitEventTimeout(&event, 50);) {}
    return SDL_RegisterEvents(1);
}

bool sdl_push(uint32_t type, int32_t code, void *data1, void *data2) {
    SDL_Event event;
    SDL_zero(event);
    event.type = type;
    event.user.code = code;
    event.user.data1 = data1;
    event.user.data2 = data2;
    return SDL_PushEvent(&event) == 1;
}

int sdl_connection(void) {
    SDL_SysWMinfo information;
    SDL_VERSION(&information.version);
    if (!SDL_GetWindowWMInfo(window, &information) || information.subsystem != SDL_SYSWM_X11) return -1;
    return ConnectionNumber(information.info.x11.display);
}

void game_run(double seconds, uint32_t type, void (*frame)(bool asked, void *context), void *context) {
    const int64_t period = SECOND_NS / 240;
    const int64_t frames = (int64_t)(seconds * 240), warm = frames / 10;
    struct samples lateness;
    samples_reserve(&lateness, (size_t)frames);
    double work = 0;
    int64_t overruns = 0, cpu = 0, began = 0, start = now_ns() + period;
    for (int64_t i = 0; i < frames; i++) {
        sleep_until_ns(start + i * period);
        int64_t now = now_ns();
        if (i == warm) {
            cpu = process_cpu_ns() - feeder_cpu_ns();
            began = now;
        }
        bool asked = false;
        for (SDL_Event event; SDL_PollEvent(&event);) asked |= event.type == type;
        frame(asked, context);
        int64_t took = now_ns() - now;
        if (i < warm) continue;
        samples_add(&lateness, (double)(now - start - i * period));
        work += (double)took;
        overruns += took > period;
    }
    double elapsed = (double)(now_ns() - began);
    cpu = process_cpu_ns() - feeder_cpu_ns() - cpu;
    report("work_per_frame", "us", work / (double)lateness.count / 1e3);
    report_percentiles("late_", &lateness, 0);
    report("cpu", "percent", 100.0 * (double)cpu / elapsed);
    report("overruns", "count", (double)overruns);
}
