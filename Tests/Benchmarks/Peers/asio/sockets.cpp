// SPDX-License-Identifier: Apache-2.0
// echo, game: many sockets.

#include <sys/socket.h>

#include <deque>

#include "peer.hpp"

static const size_t message_size = 64;
using local = asio::local::stream_protocol;

// echo: the io thread reads, the UI thread counts and writes, since what to answer is the game's business.

static int64_t round_trips, counted_from, began;

struct end {
    local::socket socket;
    bool sends;
    char buffer[message_size] = {};

    end(int descriptor, bool sends) : socket(context, local(), descriptor), sends(sends) {}

    void next() {
        asio::async_read(socket, asio::buffer(buffer), [this](std::error_code error, size_t) {
            if (error) fail("read");
            on_ui(arrived, this);
        });
    }

    static void arrived(void *self) {
        auto end = static_cast<struct end *>(self);
        round_trips += end->sends;
        end->send();
        end->next();
    }

    void send() {
        std::error_code error;
        if (socket.write_some(asio::buffer(buffer), error) != message_size) fail("write");
    }
};

struct phases {
    asio::steady_timer timer{context};
    double seconds = 0;

    void next(double delay) {
        timer.expires_after(std::chrono::nanoseconds(static_cast<int64_t>(delay * 1e9)));
        timer.async_wait([this](std::error_code) { on_ui(rang, this); });
    }

    static void rang(void *self) {
        auto phases = static_cast<struct phases *>(self);
        // The first fifth is warm-up.
        if (began == 0) {
            began = now_ns();
            counted_from = round_trips;
            phases->next(phases->seconds * 0.8);
            return;
        }
        double elapsed = static_cast<double>(now_ns() - began);
        report("round_trips", "per_s", static_cast<double>(round_trips - counted_from) / elapsed * 1e9);
        done = true;
    }
};

void echo() {
    auto pairs = static_cast<size_t>(option_number("pairs", 100));
    allow_descriptors(pairs * 2);
    start();
    needs_idle_wait();
    static std::deque<end> ends;
    for (size_t i = 0; i < pairs; i++) {
        int descriptors[2];
        socket_pair(descriptors);
        for (int side = 0; side < 2; side++) ends.emplace_back(descriptors[side], side == 0).next();
        ends[2 * i].send();
    }
    static phases phases;
    phases.seconds = option_decimal("seconds", 0.3);
    phases.next(phases.seconds * 0.2);
    run();
}

// game

static int64_t received, fired;

struct player {
    local::socket socket;
    char buffer[4096] = {};

    explicit player(int descriptor) : socket(context, local(), descriptor) {}

    void next() {
        socket.async_read_some(asio::buffer(buffer), [this](std::error_code error, size_t size) {
            if (error) fail("read");
            received += static_cast<int64_t>(size / message_size);
            next();
        });
    }
};

static uint64_t chance = RANDOM_SEED;

struct clockwork {
    asio::steady_timer timer{context};

    void next() {
        timer.expires_after(std::chrono::nanoseconds(game_delay(&chance)));
        timer.async_wait([this](std::error_code) {
            fired++;
            next();
        });
    }
};

void game() {
    const size_t sockets = 1000, clocks = 1000;
    const int64_t messages_per_second = 20000;
    double seconds = option_decimal("seconds", 1);
    allow_descriptors(sockets * 2);
    start();
    if (is_thread_design()) not_supported("the frame design stands for asio here");
    static int far_ends[sockets];
    static std::deque<player> players;
    for (size_t i = 0; i < sockets; i++) {
        int descriptors[2];
        socket_pair(descriptors);
        far_ends[i] = descriptors[1];
        players.emplace_back(descriptors[0]).next();
    }
    static std::deque<clockwork> all(clocks);
    for (size_t i = 0; i < clocks; i++) all[i].next();
    turn();
    feeder_messages(far_ends, sockets, messages_per_second, seconds);
    play(seconds);
    // Not less work than the others did.
    if (static_cast<double>(received) < 0.9 * static_cast<double>(feeder_sent()) - 200) fail("messages were left unread");
    if (static_cast<double>(fired) < 10000 * seconds * 0.85) fail("timers were missed");
}
