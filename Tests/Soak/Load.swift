// SPDX-License-Identifier: Apache-2.0
// Load: everything at once that a loop is made for, each with a check of its own.
// Owner:  the main actor, but for the threads that post, signal and keep the other core busy, which end with `isOver`.

import Foundation
import Glibc
import Synchronization
import Tandem
import TandemSDL

@MainActor final class Load {
    /// What has gone wrong, in words; the first of each kind.
    private(set) var faults: [String: String] = [:]
    var frames = 0, messages = 0, timers = 0, posts = 0, scenes = 0, offloads = 0, signals = 0
    private(set) var latestTimer = Duration.zero

    private let guest: SDLGuest
    private let loop: GuestLoop
    private let isOver = Overs()
    private var threads: [Thread] = []
    private let ended = DispatchSemaphore(value: 0)

    final class Overs: Sendable {
        let flag = Atomic<Bool>(false)
        /// Posts that the loop took.
        let accepted = Atomic<Int>(0)
    }

    init(_ guest: SDLGuest) {
        self.guest = guest
        loop = guest.loop
    }

    func note(_ kind: String, _ what: @autoclosure () -> String) {
        if faults[kind] == nil { faults[kind] = what() }
    }

    /// Echoes on `count` pairs of sockets, ten messages a second on each.
    func converse(_ count: Int) throws {
        for number in 0..<count {
            let (near, far) = try UnixStream.pair(on: loop)
            guest.run {
                try await self.echo(far)
            } onDone: {
                self.ended("an echo", $0)
            }
            guest.run {
                try await self.ask(near, number)
            } onDone: {
                self.ended("a conversation", $0)
            }
        }
    }

    private func ended(_ what: String, _ result: Result<Void, any Error>) {
        guard case .failure(let error) = result, !(error is CancellationError), !isOver.flag.load(ordering: .relaxed)
        else { return }
        note(what, "\(what) ended with \(error)")
    }

    private func echo(_ stream: UnixStream) async throws {
        defer { stream.close() }
        while true { try await stream.write(try await stream.read(exactly: 8)) }
    }

    private func ask(_ stream: UnixStream, _ number: Int) async throws {
        defer { stream.close() }
        var count: UInt64 = 0
        // Not all of them at the same moment.
        try await loop.sleep(for: .microseconds(number % 100 * 1000))
        for try await _ in loop.clock.timer(every: .milliseconds(100)) {
            count += 1
            let question = withUnsafeBytes(of: count) { Array($0) }
            try await stream.write(question)
            let answer = try await stream.read(exactly: 8)
            if answer != question { note("order", "connection \(number) asked \(question) and was answered \(answer)") }
            messages += 1
        }
    }

    /// A hundred timers that arm themselves anew, each `perSecond` / 100 times a second.
    func keepTime(perSecond: Int) {
        for _ in 0..<100 { arm(.nanoseconds(100_000_000_000 / Int64(perSecond))) }
    }

    private func arm(_ period: Duration) {
        let deadline = loop.now.advanced(by: period)
        loop.callAt(deadline) { [unowned self] in
            let late = deadline.duration(to: loop.now)
            if late < .zero { note("early", "a timer was \(late * -1) early") }
            latestTimer = max(latestTimer, late)
            timers += 1
            if !isOver.flag.load(ordering: .relaxed) { arm(period) }
        }
    }

    /// The worst lateness since the last call.
    func takeLatestTimer() -> Duration {
        defer { latestTimer = .zero }
        return latestTimer
    }

    /// Four threads, each with posts that are numbered.
    func post(perSecond: Int) {
        var last = [Int](repeating: 0, count: 4)
        let check: @MainActor (Int, Int) -> Void = { [unowned self] thread, number in
            if number != last[thread] + 1 {
                note("posts", "thread \(thread): post \(number) came after \(last[thread])")
            }
            last[thread] = number
            posts += 1
        }
        let (loop, isOver) = (loop, isOver)
        for thread in 0..<4 {
            start {
                var number = 0
                while !isOver.flag.load(ordering: .relaxed) {
                    for _ in 0..<max(1, perSecond / 4 / 1000) {
                        number += 1
                        let number = number
                        do { try loop.post { MainActor.assumeIsolated { check(thread, number) } } } catch { return }
                        isOver.accepted.add(1, ordering: .relaxed)
                    }
                    usleep(1000)
                }
            }
        }
    }

    /// A scene a second, with a few children, ended from outside.
    func play() {
        guest.run {
            while true {
                try? await self.loop.withScene { scene in
                    for _ in 0..<10 { scene.task { try await self.loop.sleep(for: .seconds(1000)) } }
                    scene.callLater(.milliseconds(500)) { self.scenes += 1 }
                    scene.callLater(.seconds(1)) { scene.end() }
                    try await self.loop.sleep(for: .seconds(1000))
                }
                try Task.checkCancellation()
            }
        } onDone: {
            self.ended("the scenes", $0)
        }
    }

    /// Work on other threads, one piece after the other.
    func offload() {
        guest.run {
            var number = 0
            while true {
                number += 1
                let asked = number
                let answer = try await self.loop.offload { (0..<1000).reduce(asked, ^) ^ (0..<1000).reduce(0, ^) }
                if answer != asked { self.note("offload", "piece \(asked) gave \(answer)") }
                self.offloads += 1
                try await self.loop.sleep(for: .milliseconds(2))
            }
        } onDone: {
            self.ended("the offloads", $0)
        }
    }

    /// A signal each millisecond. Those that come while one is pending are one.
    func signal() {
        guest.run {
            let sequence = try self.loop.signals(GuestSignal(rawValue: SIGUSR1))
            // Not before somebody waits for it: it would end the process.
            let isOver = self.isOver
            self.start {
                while !isOver.flag.load(ordering: .relaxed) {
                    kill(getpid(), SIGUSR1)
                    usleep(1000)
                }
            }
            for try await _ in sequence { self.signals += 1 }
        } onDone: {
            self.ended("the signals", $0)
        }
    }

    /// Keeps another core busy.
    func disturb() {
        let isOver = isOver
        start { while !isOver.flag.load(ordering: .relaxed) {} }
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        let ended = ended
        let thread = Thread {
            body()
            ended.signal()
        }
        threads.append(thread)
        thread.start()
    }

    /// Ends the threads, and waits for them.
    func end() {
        isOver.flag.store(true, ordering: .relaxed)
        for _ in threads { ended.wait() }
        threads = []
    }

    /// After the close: every post that was taken has run.
    func checkPosts() {
        let accepted = isOver.accepted.load(ordering: .relaxed)
        if posts != accepted { note("lost", "\(accepted) posts were taken, and \(posts) ran") }
    }
}
