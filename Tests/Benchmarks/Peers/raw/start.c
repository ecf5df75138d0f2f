// SPDX-License-Identifier: Apache-2.0
// start (W14): an eventfd in an epoll set, and its first callback. calibrate: what the machine has to give, for the runner.

#define _GNU_SOURCE
#include "raw.h"
#include "../../CBench/include/CBench.h"
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int64_t first;

static void on_event(void) { first = now_ns(); }

void start(void) {
    bench_resident(), bench_private(), now_ns();
    long resident = bench_resident(), own = bench_private();
    int64_t begin = now_ns();
    int poller = new_poller(), descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event;
    watch(poller, descriptor, (void *)on_event);
    eventfd_write(descriptor, 1);
    while (first == 0 && wait_until(poller, &event, 1, INT64_MAX) > 0) ((void (*)(void))event.data.ptr)();
    long resident_after = bench_resident(), own_after = bench_private();
    report("first_callback", "ms", (double)(first - begin) / 1e6);
    report("resident", "KB", (double)(resident_after - resident));
    report("private", "KB", (double)(own_after - own));
}

// One thread on each core spins for a while: what it gets of its core, and how far it comes in the time that it gets.

enum { most_cores = 256 };
static int64_t length;

struct spin {
    int core;
    double share, steps;
};

static void *spin(void *context) {
    struct spin *spin = context;
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(spin->core, &cores);
    sched_setaffinity(0, sizeof cores, &cores);
    uint64_t state = RANDOM_SEED;
    int64_t steps = 0, begin = now_ns(), own = thread_cpu_ns(), now;
    while ((now = now_ns()) - begin < length) {
        for (int i = 0; i < 1000; i++) random_next(&state);
        __asm__ volatile("" : : "r"(state));
        steps++;
    }
    own = thread_cpu_ns() - own;
    spin->share = (double)own / (double)(now - begin);
    spin->steps = (double)steps / (double)own * 1e3;
    return NULL;
}

void calibrate(void) {
    length = option_number("ms", 50) * 1000000;
    static struct spin spins[most_cores];
    static pthread_t threads[most_cores];
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) fail("sched_getaffinity");
    int count = 0;
    for (int core = 0; core < CPU_SETSIZE && count < most_cores; core++) {
        if (!CPU_ISSET(core, &cores)) continue;
        spins[count].core = core;
        if (pthread_create(&threads[count], NULL, spin, &spins[count]) != 0) fail("pthread_create");
        count++;
    }
    double least = 1, slowest = 1e9;
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (spins[i].share < least) least = spins[i].share;
        if (spins[i].steps < slowest) slowest = spins[i].steps;
    }
    report("share", "of_1", least);
    report("speed", "steps_per_us", slowest);
}
