// SPDX-License-Identifier: Apache-2.0
// server (W13): a game server for 64 players in one thread: a ppoll until the next tick's instant, recvmmsg, sendmmsg. Options: seconds, rate, inputs.

#define _GNU_SOURCE
#include "raw.h"
#include "../../CBench/include/far.h"
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { players = 64, room = 64, input_size = 64, snapshot_size = 600 };

static int udp, player_count;
static int16_t numbers[65536];
static struct sockaddr_in addresses[players];
static int64_t inputs[players], received, sent;
static struct mmsghdr incoming[room], outgoing[players];
static struct sockaddr_in from[room];
static char bytes[room][1500], snapshots[players][snapshot_size], snapshot[snapshot_size];

static void prepare_messages(void) {
    static struct iovec in[room], out[players];
    for (int i = 0; i < room; i++) {
        in[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1, .msg_name = &from[i]};
    }
    for (int i = 0; i < players; i++) {
        out[i] = (struct iovec){snapshots[i], snapshot_size};
        outgoing[i].msg_hdr = (struct msghdr){
            .msg_iov = &out[i], .msg_iovlen = 1, .msg_name = &addresses[i], .msg_namelen = sizeof addresses[i]};
    }
    for (int i = 0; i < 65536; i++) numbers[i] = -1;
}

static void receive_inputs(void) {
    for (int i = 0; i < room; i++) incoming[i].msg_hdr.msg_namelen = sizeof from[i];
    int count = recvmmsg(udp, incoming, room, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        received++;
        int16_t *number = &numbers[ntohs(from[i].sin_port)];
        if (*number >= 0) inputs[*number]++;
        else if (player_count < players) {
            addresses[player_count] = from[i];
            *number = (int16_t)player_count++;
        }
    }
}

static void send_snapshots(int64_t number) {
    snapshot[0] = (char)number;
    for (int i = 0; i < player_count; i++) memcpy(snapshots[i], snapshot, snapshot_size);
    if (player_count == 0) return;
    int count = sendmmsg(udp, outgoing, (unsigned)player_count, MSG_DONTWAIT);
    if (count > 0) sent += count;
}

struct mark {
    int64_t cpu, datagrams, switches;
};

static struct mark mark_now(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct mark){process_cpu_ns(), sent + received, usage.ru_nvcsw + usage.ru_nivcsw};
}

void server(void) {
    int64_t rate = option_number("rate", 60), warm = rate, last = warm + rate * option_number("seconds", 5), ticks = last + rate / 2;
    struct bench_players far = {players, (int)rate, option_is("inputs", "bursts"), input_size, snapshot_size};
    if (!bench_players_start(far)) fail("the players' process did not start");
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof own;
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (udp < 0 || bind(udp, (struct sockaddr *)&own, length) != 0 || getsockname(udp, (struct sockaddr *)&own, &length) != 0) fail("bind");
    prepare_messages();
    bench_players_play(ntohs(own.sin_port));
    struct mark first = {0}, end = {0};
    int64_t begin = now_ns();
    for (int64_t number = 0; number < ticks; number++) {
        int64_t instant = begin + number * SECOND_NS / rate;
        for (int64_t left; (left = instant - now_ns()) > 0;) {
            struct pollfd source = {udp, POLLIN, 0};
            struct timespec timeout = {left / SECOND_NS, left % SECOND_NS};
            if (ppoll(&source, 1, &timeout, NULL) > 0) receive_inputs();
        }
        if (number == warm) first = mark_now();
        if (number == last) {
            end = mark_now();
            bench_players_stop();
        }
        if (number < last) send_snapshots(number);
    }
    int64_t their_inputs = bench_players_sent(), their_snapshots = bench_players_received();
    bench_far_end();
    int64_t lost = their_inputs - received + sent - their_snapshots, begun = their_inputs + sent;
    // The kernel drops what a server has no time to take; in percent.
    bool is_complete = lost * 100 <= begun * option_number("loss", 0) && player_count == players && sent > last * players * 3 / 4;
    for (int i = 0; i < players; i++) is_complete = is_complete && inputs[i] > 0;
    if (!is_complete) {
        fprintf(stderr, "%ld of %ld inputs came, %ld of %ld snapshots; ", (long)received, (long)their_inputs, (long)their_snapshots, (long)sent);
        fail("something was lost");
    }
    report("per_datagram", "us", (double)(end.cpu - first.cpu) / (double)(end.datagrams - first.datagrams) / 1000);
    report("switches_per_tick", "count", (double)(end.switches - first.switches) / (double)(last - warm));
    report("lost", "events", (double)lost);
    report("sent", "events", (double)sent);
    report("received", "events", (double)received);
}
