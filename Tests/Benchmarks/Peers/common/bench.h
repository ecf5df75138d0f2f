// SPDX-License-Identifier: Apache-2.0
// bench: what the peers in C and C++ share: options, clock, random numbers, percentiles, the other thread's work, SDL's start.
// Idea:   a peer's own files then hold nothing but what is particular to its event loop.
// Owner:  the UI thread, but for what a `feeder_` function starts.

#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Options: `BINARY WORKLOAD key=value...`

void options_read(int count, char **arguments);
const char *option_text(const char *name, const char *otherwise);
int64_t option_number(const char *name, int64_t otherwise);
double option_decimal(const char *name, double otherwise);
static inline bool option_is(const char *name, const char *value) {
    const char *text = option_text(name, "");
    while (*text && *text == *value) text++, value++;
    return *text == *value;
}

// Results

void report(const char *metric, const char *unit, double value);
/// Ends the process with status 3: this subject does not do this workload.
void not_supported(const char *reason) __attribute__((noreturn));
/// Ends the process with status 1.
void fail(const char *what) __attribute__((noreturn));

struct samples {
    double *values;
    size_t count, capacity;
};
void samples_reserve(struct samples *samples, size_t capacity);
static inline void samples_add(struct samples *samples, double value) {
    if (samples->count < samples->capacity) samples->values[samples->count++] = value;
}
/// Sorts from `first` on, and gives the value at `fraction`, 0..1.
double samples_percentile(struct samples *samples, size_t first, double fraction);
/// Reports NAMEp50 and NAMEp99 in microseconds, of nanoseconds.
void report_percentiles(const char *name, struct samples *nanoseconds, size_t first);

// Time, chance

int64_t now_ns(void);
int64_t process_cpu_ns(void);
int64_t thread_cpu_ns(void);
void sleep_until_ns(int64_t deadline);
static inline uint64_t random_next(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}
#define RANDOM_SEED 0x2545F4914F6CDD1Dull
#define SECOND_NS 1000000000ll
/// Deadlines within a second, counted from 0; the same for every subject.
int64_t *random_deadlines(size_t count);
/// When a timer of `game` is due again: within 200 ms, 100 on average.
static inline int64_t game_delay(uint64_t *state) { return (int64_t)(random_next(state) % (SECOND_NS / 5)); }
/// 0..<count in random order.
uint32_t *random_order(size_t count);

// What the kernel counted

struct switches {
    /// Voluntary and involuntary, of all threads.
    int64_t all;
    /// Voluntary, of the UI thread: how often it slept and was woken.
    int64_t ui;
};
struct switches switches_read(void);
void allow_descriptors(size_t count);
void socket_pair(int ends[2]);

// The other side

/// A thread that writes `count` times a timestamp of 8 bytes to `descriptor`, 0.5 to 1.5 ms apart.
void feeder_wakes(int descriptor, int64_t count);
/// Reads what a feeder wrote, and keeps how long it was under way. False when there is nothing (EAGAIN).
bool feeder_take(int descriptor, struct samples *delays);
/// A thread that sends 64-byte messages to random ones of `count` sockets, `rate` a second for `seconds`.
void feeder_messages(const int *sockets, size_t count, int64_t rate, double seconds);
/// CPU time that the message feeder has used so far.
int64_t feeder_cpu_ns(void);
/// Messages sent so far.
int64_t feeder_sent(void);
/// `threads` threads call `post` in all `count` times; returns when they were let loose, with the time of that.
int64_t feeder_posts(int threads, int64_t count, void (*post)(void *), void *context);

// Allocations, counted while asked for

void allocations_count(bool on);
int64_t allocations_counted(void);
/// Bytes in use by malloc.
int64_t bytes_in_use(void);

// SDL

/// Video with a window on the runner's driver; returns the type of the event that asks for a tick.
uint32_t sdl_start(void);
/// From any thread: pushes that event. False if SDL refused.
bool sdl_push(uint32_t type, int32_t code, void *data1, void *data2);
/// The X connection's descriptor; -1 on other drivers.
int sdl_connection(void);

// Frames of the workload `game`

/// Runs 240 frames a second for `seconds`: SDL's events and `frame`, which are the work, then sleep. Reports everything.
void game_run(double seconds, uint32_t type, void (*frame)(bool asked, void *context), void *context);

#ifdef __cplusplus
}
#endif
