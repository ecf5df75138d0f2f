// SPDX-License-Identifier: Apache-2.0
// ServerWork (W13): a game server for 64 players, each of whom gets 60 snapshots of 600 bytes and sends 60 inputs of 64 bytes a second. The players are
//                   another process; their inputs come spread over a tick, or (inputs=bursts) all at once.
// Idea:   what counts is the processor time of the server's process for each datagram, sent or received. A second is warm-up; at the end both sides
//         count what was sent and received, and who has lost something fails.
// Owner:  the server's thread.

import CBench
import Glibc

final class ServerWork {
    static let (players, inputSize, snapshotSize) = (64, 64, 600)
    let rate: Int
    /// All ticks: those before the measured ones, the measured ones, those after them.
    let ticks: Int
    /// Nanoseconds between two ticks.
    let period: Int64
    private(set) var isPlaying = true
    private(set) var received = 0
    var sent = 0
    /// A player's number by the port that it sends from; -1: none.
    private var players = [Int16](repeating: -1, count: 65536)
    private(set) var playerCount = 0
    private var inputs = [Int](repeating: 0, count: ServerWork.players)
    private let (warm, last): (Int, Int)
    private let allowedLoss: Int
    private var marks: [(time: Int64, datagrams: Int, sleeps: Int)] = []

    /// Starts the players' process, which waits. To be called before the program has threads.
    init(_ options: Options) throws {
        rate = try options.number("rate", 60)
        warm = rate
        last = warm + rate * (try options.number("seconds", 5))
        ticks = last + rate / 2
        allowedLoss = try options.number("loss", 0, least: 0)
        period = 1_000_000_000 / Int64(rate)
        let kind = options.word("inputs", "spread")
        guard kind == "spread" || kind == "bursts" else {
            throw Unsupported("inputs=\(kind): expected spread or bursts")
        }
        let players = bench_players(
            count: Int32(Self.players), rate: Int32(rate), bursts: kind == "bursts", input_size: Int32(Self.inputSize),
            snapshot_size: Int32(Self.snapshotSize))
        guard bench_players_start(players) else { throw Failed("the players' process did not start") }
    }

    /// An input came. True: from somebody who is new.
    func receives(from port: UInt16) -> Bool {
        received += 1
        let known = players[Int(port)]
        if known >= 0 {
            inputs[Int(known)] += 1
            return false
        }
        guard playerCount < Self.players else { return false }
        players[Int(port)] = Int16(playerCount)
        playerCount += 1
        return true
    }

    /// A tick begins. Whether snapshots are to be sent in it.
    func begin(_ number: Int) -> Bool {
        if number == warm { mark() }
        if number == last {
            mark()
            isPlaying = false
            bench_players_stop()
        }
        return isPlaying
    }

    private func mark() {
        marks.append((Usage().nanoseconds, sent + received, Usage().switches))
    }

    func finish() throws {
        let (theirInputs, theirSnapshots) = (Int(bench_players_sent()), Int(bench_players_received()))
        bench_far_end()
        guard marks.count == 2 else { throw Failed("the ticks ended before the last one") }
        // The kernel drops what a server has no time to take; in percent.
        let (lost, begun) = (theirInputs - received + sent - theirSnapshots, theirInputs + sent)
        guard lost * 100 <= begun * allowedLoss, playerCount == Self.players, inputs.allSatisfy({ $0 > 0 }) else {
            throw Failed(
                "something was lost: \(received) of \(theirInputs) inputs came, \(theirSnapshots) of \(sent) snapshots, from \(playerCount) players"
            )
        }
        let expected = last * Self.players
        // The first inputs come some ticks after the first tick.
        guard sent > expected * 3 / 4 else { throw Failed("\(sent) snapshots were sent, and \(expected) were due") }
        let (first, end) = (marks[0], marks[1])
        metric("per_datagram", "us", Double(end.time - first.time) / Double(end.datagrams - first.datagrams) / 1000)
        metric("switches_per_tick", "count", Double(end.sleeps - first.sleeps) / Double(last - warm))
        metric("lost", "events", lost)
        metric("sent", "events", sent)
        metric("received", "events", received)
    }
}
