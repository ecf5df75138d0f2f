// SPDX-License-Identifier: Apache-2.0
// far: the far side of the network work, in processes of its own, so that what it costs is nobody's figure.
// Idea:   a process is forked before the program has threads; what it counts lies in memory that both see. It ends with its parent.
#ifndef TANDEM_BENCH_FAR_H
#define TANDEM_BENCH_FAR_H

#include <stdbool.h>
#include <stdint.h>

/// Starts a process that sends each datagram back to where it came from. Its port on the loopback address; -1: it did not start.
int bench_mirror_start(void);
/// A datagram socket, which blocks, connected to a port on the loopback address; -1: there is none.
int bench_connected_socket(int port);

/// The players of a game server (W13).
struct bench_players {
    int count;
    /// Inputs a second of each.
    int rate;
    /// All send at one instant; else spread over the time between two inputs.
    bool bursts;
    int input_size, snapshot_size;
};
/// Starts a process for them, which waits for `bench_players_play`. False: it did not start.
bool bench_players_start(struct bench_players players);
/// Each player gets a socket, sends inputs to `port` until `bench_players_stop`, and takes what comes.
void bench_players_play(int port);
/// No more inputs. What is under way is still received.
void bench_players_stop(void);
/// How many inputs were sent so far, and how many snapshots of the right size were received.
int64_t bench_players_sent(void);
int64_t bench_players_received(void);

/// Ends the process, if there is one, and waits for it.
void bench_far_end(void);

#endif
