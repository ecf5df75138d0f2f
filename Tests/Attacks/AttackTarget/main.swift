// SPDX-License-Identifier: Apache-2.0
// AttackTarget: a game that strangers can reach, with nothing but Tandem in it, for `Tests/Attacks/attack` to attack.
// Idea:   60 frames a second, a tick of 4 ms in each, and one server of each kind. What counts is the longest distance between two frames while
//         somebody misbehaves; whoever asks on the control port is told, and a new measurement begins.
//
// AttackTarget [ipv6]     prints "NAME PORT" for each server; ends on SIGTERM

import Foundation
import Glibc
import Tandem

/// A loop that is ticked once a frame needs no wake-up.
final class FrameHost: GuestHost {
    func requestTick() -> Bool { true }
}

/// What frames and ticks took since the last report.
final class FrameTimes: @unchecked Sendable {
    // Safe: only the thread of the frames touches it.
    private var last = ContinuousClock.now
    private var longestFrame = Duration.zero
    private var longestTick = 0

    func frame(_ tick: () -> Void) {
        let now = ContinuousClock.now
        (longestFrame, last) = (max(longestFrame, now - last), now)
        let begin = computed()
        tick()
        longestTick = max(longestTick, computed() - begin)
    }

    /// The longest distance between two frames, which is also what the rest of the machine does to this thread, and how long the longest tick
    /// has computed, which is not; in milliseconds.
    func report() -> String {
        defer { (longestFrame, longestTick) = (.zero, 0) }
        return "\(longestFrame / .milliseconds(1)) \(Double(longestTick) / 1_000_000)"
    }

    /// How long this thread has computed, in nanoseconds.
    private func computed() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

let family: SocketAddress.Family = CommandLine.arguments.contains("ipv6") ? .ipv6 : .ipv4
let loop = try GuestLoop(host: FrameHost())
let times = FrameTimes()

func say(_ line: String) { try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) }

/// Serves each connection as a run of its own, and closes it when it has ended.
func listen(_ name: String, _ serve: @escaping @Sendable (TCPStream) async throws -> Void) throws {
    let listener = try TCPListener(on: loop, at: .loopback(family, port: 0))
    // What a peer can have sent before it goes, and we have yet to read; the kernel's own limit is some megabytes.
    try listener.socket.set(.receiveBufferSize, to: 65_536)
    loop.run {
        for try await stream in listener.connections {
            loop.run {
                defer { stream.close() }
                try await serve(stream)
            } onDone: { _ in
                // What a peer does is no news.
            }
        }
    }
    say("\(name) \(listener.localAddress.port!)")
}

// "ping" is answered; other lines only cost their reading.
try listen("lines") { stream in
    for try await line in stream.lines(maximumLength: 1000) where line == "ping" { try await stream.write("pong\n") }
}
// Eight bytes of length, then so many bytes; the length comes back.
try listen("exactly") { stream in
    while true {
        let head = try await stream.read(exactly: 8)
        let length = Int(clamping: head.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        let body = try await stream.read(exactly: length, limit: 65_536)
        try await stream.write("\(body.count)\n")
    }
}
try listen("control") { stream in
    for try await _ in stream.lines(maximumLength: 100) { try await stream.write(times.report() + "\n") }
}
let datagrams = try UDPSocket(on: loop, at: .loopback(family, port: 0))
loop.run {
    while true {
        let datagram = try await datagrams.receive(upTo: 1500)
        guard let sender = datagram.sender else { continue }
        // Where an answer cannot go, it is lost, as others are.
        do { try await datagrams.send(datagram.bytes, to: sender) } catch let error as GuestError
            where error.code == .socketFailed
        {}
    }
}
say("datagrams \(datagrams.localAddress.port!)")

var isOver = false
loop.run {
    for try await _ in try loop.signals(.terminate, .interrupt) { break }
} onDone: { _ in
    isOver = true
}

var next = ContinuousClock.now
while !isOver {
    times.frame { loop.tick(budget: .milliseconds(4)) }
    next += .nanoseconds(16_666_667)
    let now = ContinuousClock.now
    // A frame that came too late is not made up for.
    if next < now { next = now }
    usleep(UInt32(max(0, (next - now) / .microseconds(1))))
}
loop.close()
say("closed")
