// SPDX-License-Identifier: Apache-2.0
// start (W14): from a program that has SDL, until libuv's first callback: time and memory.

#include "guest.h"
#include "../../CBench/include/CBench.h"

static int64_t first;

static void on_timer(uv_timer_t *timer) {
    (void)timer;
    first = now_ns();
}

void start(void) {
    guest_event = sdl_start();
    bench_resident(), bench_private(), now_ns();
    long resident = bench_resident(), own = bench_private();
    int64_t begin = now_ns();
    guest_start();
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_timer, 0, 0);
    while (first == 0) guest_turn();
    long resident_after = bench_resident(), own_after = bench_private();
    report("first_callback", "ms", (double)(first - begin) / 1e6);
    report("resident", "KB", (double)(resident_after - resident));
    report("private", "KB", (double)(own_after - own));
}
