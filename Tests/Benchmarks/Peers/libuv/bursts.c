// SPDX-License-Identifier: Apache-2.0
// Bursts of posts and timers. See guest.h for the designs; timers are armed and fired by turns that the UI thread takes by itself.

#include "guest.h"
#include "../common/bursts.h"
#include <SDL2/SDL.h>
#include <stdlib.h>
#include <string.h>

static void on_post(void *context) {
    (void)context;
    bursts_ran();
}
static void post(void) { guest_post(on_post, NULL); }

static void rest(void) {
    SDL_Event event;
    if (guest_is_frame_design()) guest_turn();
    else if (SDL_WaitEvent(&event) && event.type == guest_event) guest_turn();
}

static uv_timer_t *armed;

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    bursts_fired();
}
static void arm(uint32_t number, int64_t delay) { uv_timer_start(&armed[number], on_timer, (uint64_t)(delay + 999999) / 1000000, 0); }
static void disarm(uint32_t number) { uv_timer_stop(&armed[number]); }
static void turn(void) { uv_run(&loop, UV_RUN_NOWAIT); }

static const struct burst_subject subject = {post, rest, arm, disarm, turn};

void burst_posts(void) {
    guest_start();
    if (!guest_is_frame_design()) guest_turn();
    bursts_of_posts(&subject);
}

void burst_timers(void) {
    if (!option_is("design", "frame")) not_supported("the poll thread has no part in it");
    size_t count = (size_t)option_number("n", 1000);
    guest_start();
    armed = malloc(count * sizeof *armed);
    if (!armed) fail("no memory for timers");
    for (size_t i = 0; i < count; i++) uv_timer_init(&loop, &armed[i]);
    bursts_of_timers(&subject);
}
