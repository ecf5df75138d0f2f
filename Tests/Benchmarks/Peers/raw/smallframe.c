// SPDX-License-Identifier: Apache-2.0
// smallframe (W12): what Tandem's SmallFrame does, polled once a frame by code for this alone: posts under a mutex, timers in a heap, one recvmmsg
// and one sendmmsg, three calls for the three tasks. Options: seconds, fps.

#define _GNU_SOURCE
#include "raw.h"
#include "heap.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { tasks = 3, datagrams = 8, timers_armed = 5, posts_of_thread = 5, room = 64, size = 64 };
enum { most_timers = 65536, most_posts = 4096 };
enum { cache_size = 4 << 20 };

struct post {
    void (*body)(void *);
    void *context;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct post waiting[most_posts], taken[most_posts];
static int waiting_count;
static _Atomic int64_t posted, feeder_time;
static atomic_bool is_over;
static int64_t ran, fired, received, sent, resumed, period;

static void on_post(void *context) { (*(int64_t *)context)++; }

static void *poster(void *seed) {
    uint64_t chance = (uint64_t)(uintptr_t)seed * RANDOM_SEED;
    int64_t next = now_ns();
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        pthread_mutex_lock(&lock);
        if (waiting_count < most_posts) waiting[waiting_count++] = (struct post){on_post, &ran};
        pthread_mutex_unlock(&lock);
        atomic_fetch_add(&posted, 1);
        next += (int64_t)(random_next(&chance) % (uint64_t)(2 * period / posts_of_thread));
        sleep_until_ns(next);
    }
    atomic_fetch_add(&feeder_time, thread_cpu_ns());
    return NULL;
}

static void *mirror(void *context) {
    int descriptor = *(int *)context;
    char bytes[size];
    struct sockaddr_in from;
    for (;;) {
        socklen_t length = sizeof from;
        ssize_t count = recvfrom(descriptor, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
        if (count <= 1) break;
        sendto(descriptor, bytes, (size_t)count, 0, (struct sockaddr *)&from, length);
    }
    atomic_fetch_add(&feeder_time, thread_cpu_ns());
    return NULL;
}

static int new_socket(struct sockaddr_in *address) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)address, length) != 0) fail("bind");
    if (getsockname(descriptor, (struct sockaddr *)address, &length) != 0) fail("getsockname");
    return descriptor;
}

static struct mmsghdr incoming[room], outgoing[datagrams];
static char bytes[room][1500], datagram[size];

static void prepare_messages(void) {
    static struct iovec in[room], out = {datagram, size};
    for (int i = 0; i < room; i++) {
        in[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < datagrams; i++) outgoing[i].msg_hdr = (struct msghdr){.msg_iov = &out, .msg_iovlen = 1};
}

static void task(int descriptor, int number) {
    resumed++;
    if (number == 0 && sendmmsg(descriptor, outgoing, datagrams, MSG_DONTWAIT) == datagrams) sent += datagrams;
}

static struct heap heap;

static void frame(int descriptor) {
    pthread_mutex_lock(&lock);
    int count = waiting_count;
    memcpy(taken, waiting, (size_t)count * sizeof *waiting);
    waiting_count = 0;
    pthread_mutex_unlock(&lock);
    int arrived = recvmmsg(descriptor, incoming, room, MSG_DONTWAIT, NULL);
    if (arrived > 0) received += arrived;
    int64_t now = now_ns();
    while (heap.count > 0 && heap.entries[0].deadline <= now) {
        heap_remove(&heap, heap.entries[0].timer);
        fired++;
    }
    for (int i = 0; i < count; i++) taken[i].body(taken[i].context);
    for (int number = 0; number < tasks; number++) task(descriptor, number);
}

void smallframe(void) {
    int64_t rate = option_number("fps", 60), count = option_number("seconds", 5) * rate;
    period = SECOND_NS / rate;
    struct sockaddr_in end, own;
    int far = new_socket(&end), near = new_socket(&own);
    if (connect(near, (struct sockaddr *)&end, sizeof end) != 0) fail("connect");
    prepare_messages();
    heap_reserve(&heap, most_timers);
    pthread_t posters[2], mirroring;
    pthread_create(&mirroring, NULL, mirror, &far);
    for (uintptr_t i = 0; i < 2; i++) pthread_create(&posters[i], NULL, poster, (void *)(i + 1));
    char *cache = malloc(cache_size);
    uint64_t chance = RANDOM_SEED;
    uint32_t next_timer = 0;
    int64_t cache_time = 0, before = thread_cpu_ns(), all_before = process_cpu_ns(), begin = now_ns();
    for (int64_t number = 0; number < count; number++) {
        sleep_until_ns(begin + number * period);
        int64_t cold = thread_cpu_ns();
        memset(cache, (int)(number & 0xFF), cache_size);
        __asm__ volatile("" : : "r"(cache) : "memory");
        cache_time += thread_cpu_ns() - cold;
        int64_t now = now_ns();
        for (int i = 0; i < timers_armed; i++) {
            uint32_t timer = next_timer++ % most_timers;
            heap_insert(&heap, timer, now + 1000000 + (int64_t)(random_next(&chance) % 49000000));
            if (i == 0) heap_remove(&heap, timer);
        }
        frame(near);
    }
    int64_t ui = thread_cpu_ns() - before - cache_time;
    atomic_store(&is_over, true);
    for (int i = 0; i < 2; i++) pthread_join(posters[i], NULL);
    send(near, datagram, 1, 0);
    pthread_join(mirroring, NULL);
    int64_t all = process_cpu_ns() - all_before - cache_time - feeder_time;
    if (ran + 20 < posted || resumed != count * tasks || sent < (count - 2) * datagrams || received * 100 < sent * 98) fail("something was left undone");
    if (fired * 100 < (count - rate / 10) * (timers_armed - 1) * 98) fail("timers were missed");
    report("ui_thread_per_frame", "us", (double)ui / (double)count / 1000);
    report("all_threads_per_frame", "us", (double)all / (double)count / 1000);
}
