// SPDX-License-Identifier: Apache-2.0
// posts, timers, cancel, idletick: what a piece of work costs.

#include <sys/eventfd.h>

#include <vector>

#include "peer.hpp"

using timer_clock = std::chrono::steady_clock;

// posts

static int64_t ran, wanted;

void posts() {
    wanted = option_number("n", 100000);
    start();
    if (is_thread_design()) not_supported("the io thread would only be a detour for posts");
    auto post = [](void *) {
        asio::post(context, [] { done = ++ran == wanted; });
    };
    int64_t start = feeder_posts(static_cast<int>(option_number("threads", 1)), wanted, post, nullptr);
    run();
    report("per_post", "ns", static_cast<double>(now_ns() - start) / static_cast<double>(wanted));
}

// timers

static samples lateness;
static int64_t *deadlines, early, epoch;

static void rang(void *deadline) {
    int64_t late = now_ns() - epoch - *static_cast<int64_t *>(deadline);
    early += late < 0;
    samples_add(&lateness, static_cast<double>(late));
    done = lateness.count == lateness.capacity;
}

void timers() {
    auto count = static_cast<size_t>(option_number("n", 20000));
    start();
    deadlines = random_deadlines(count);
    samples_reserve(&lateness, count);
    static std::vector<asio::steady_timer> all;
    all.reserve(count);
    // Touched, as the game's own memory would be.
    for (size_t i = 0; i < count; i++) all.emplace_back(context);
    all.clear();
    epoch = now_ns();
    auto begin = timer_clock::time_point(std::chrono::nanoseconds(epoch));
    for (size_t i = 0; i < count; i++) {
        all.emplace_back(context, begin + std::chrono::nanoseconds(deadlines[i]));
        all.back().async_wait([i](std::error_code) { on_ui(rang, &deadlines[i]); });
    }
    report("insert", "ns", static_cast<double>(now_ns() - epoch) / static_cast<double>(count));
    run();
    report_percentiles("late_", &lateness, 0);
    report("early", "count", static_cast<double>(early));
}

// cancel

void cancel() {
    auto count = static_cast<size_t>(option_number("n", 100000));
    start();
    if (is_thread_design()) not_supported("the same as for the frame design");
    int64_t *delays = random_deadlines(count);
    uint32_t *order = random_order(count);
    static std::vector<asio::steady_timer> all;
    all.reserve(count);
    for (size_t i = 0; i < count; i++) all.emplace_back(context);
    all.clear();
    auto begin = timer_clock::now() + std::chrono::hours(1);
    int64_t start = now_ns();
    for (size_t i = 0; i < count; i++) {
        all.emplace_back(context, begin + std::chrono::nanoseconds(delays[i]));
        all.back().async_wait([](std::error_code) { ran++; });
    }
    int64_t started = now_ns();
    for (size_t i = 0; i < count; i++) all[order[i]].cancel();
    // A cancelled wait is told so by its handler; that is part of cancelling.
    context.poll();
    int64_t cancelled = now_ns();
    if (ran != static_cast<int64_t>(count)) fail("a cancelled timer was not told");
    double start_ns = static_cast<double>(started - start) / static_cast<double>(count);
    double cancel_ns = static_cast<double>(cancelled - started) / static_cast<double>(count);
    report("start", "ns", start_ns);
    report("cancel", "ns", cancel_ns);
    report("sum", "ns", start_ns + cancel_ns);
}

// idletick

void idletick() {
    auto descriptors = static_cast<size_t>(option_number("fds", 1));
    int64_t count = option_number("n", 200000);
    if (is_thread_design()) not_supported("a frame in which nothing has completed does nothing");
    allow_descriptors(descriptors);
    start();
    static std::vector<asio::posix::stream_descriptor> all;
    for (size_t i = 0; i < descriptors; i++) {
        all.emplace_back(context, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        all.back().async_wait(asio::posix::stream_descriptor::wait_read, [](std::error_code) { fail("an event"); });
    }
    for (int64_t i = 0; i < count / 10; i++) turn();
    int64_t start = now_ns();
    for (int64_t i = 0; i < count; i++) turn();
    report("tick", "ns", static_cast<double>(now_ns() - start) / static_cast<double>(count));
}
