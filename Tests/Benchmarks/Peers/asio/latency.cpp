// SPDX-License-Identifier: Apache-2.0
// wake, periodic, idle: how long something takes to reach the UI thread, and what waiting costs.

#include <fcntl.h>
#include <unistd.h>

#include "peer.hpp"

// Each callback starts the next operation itself, on the UI thread: no two threads use one object at a time.

static samples delays;

struct reader {
    asio::posix::stream_descriptor stream;
    int64_t stamp = 0;

    explicit reader(int descriptor) : stream(context, descriptor) {}

    void next() {
        stream.async_read_some(asio::buffer(&stamp, sizeof stamp), [this](std::error_code error, size_t size) {
            if (error || size != sizeof stamp) fail("the wakes' pipe");
            on_ui(arrived, this);
        });
    }

    static void arrived(void *self) {
        auto reader = static_cast<struct reader *>(self);
        samples_add(&delays, static_cast<double>(now_ns() - reader->stamp));
        done = delays.count == delays.capacity;
        if (!done) reader->next();
    }
};

void wake() {
    int64_t count = option_number("n", 300);
    bool idle = option_is("mode", "idle");
    start();
    if (idle) needs_idle_wait();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("pipe");
    samples_reserve(&delays, static_cast<size_t>(count));
    static reader reader(ends[0]);
    reader.next();
    feeder_wakes(ends[1], count);
    if (idle) run();
    else spin();
    report_percentiles("", &delays, static_cast<size_t>(count) / 10);
}

struct beat {
    using clock = std::chrono::steady_clock;
    asio::steady_timer timer{context};
    clock::duration period{};
    clock::time_point start;
    int64_t count = 0, wanted = 0;
    samples lateness{};

    void next() {
        // On the grid: counted from the last deadline, not from now.
        timer.expires_at(start + (count + 1) * period);
        timer.async_wait([this](std::error_code) { on_ui(rang, this); });
    }

    static void rang(void *self) {
        auto beat = static_cast<struct beat *>(self);
        beat->count++;
        auto late = clock::now() - (beat->start + beat->count * beat->period);
        samples_add(&beat->lateness, static_cast<double>(std::chrono::nanoseconds(late).count()));
        done = beat->count == beat->wanted;
        if (!done) beat->next();
    }
};

void periodic() {
    static beat beat;
    beat.wanted = option_number("n", 100);
    beat.period = std::chrono::milliseconds(option_number("period_ms", 5));
    start();
    needs_idle_wait();
    samples_reserve(&beat.lateness, static_cast<size_t>(beat.wanted));
    beat.start = beat::clock::now();
    beat.next();
    run();
    report("drift", "ms", beat.lateness.values[beat.lateness.count - 1] / 1e6);
    report_percentiles("late_", &beat.lateness, 0);
}

struct seconds {
    asio::steady_timer timer{context};
    asio::steady_timer::time_point begin;
    int64_t passed = 0, cpu = 0;
    double wanted = 0;
    switches before{};

    void next() {
        timer.expires_at(begin + std::chrono::seconds(passed + 1));
        timer.async_wait([this](std::error_code) { on_ui(rang, this); });
    }

    static void rang(void *self) {
        auto seconds = static_cast<struct seconds *>(self);
        // The first second is warm-up, the next ones count.
        if (seconds->passed++ == 0) {
            seconds->before = switches_read();
            seconds->cpu = process_cpu_ns();
        } else if (static_cast<double>(seconds->passed) > seconds->wanted) {
            int64_t cpu = process_cpu_ns() - seconds->cpu;
            switches after = switches_read();
            report("cpu", "ms", static_cast<double>(cpu) / 1e6);
            report("switches", "count", static_cast<double>(after.all - seconds->before.all));
            report("wakeups", "count", static_cast<double>(after.ui - seconds->before.ui));
            done = true;
            return;
        }
        seconds->next();
    }
};

void idle() {
    static seconds seconds;
    seconds.wanted = option_decimal("seconds", 2);
    start();
    needs_idle_wait();
    seconds.begin = asio::steady_timer::clock_type::now();
    seconds.next();
    run();
}
