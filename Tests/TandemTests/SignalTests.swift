// SPDX-License-Identifier: Apache-2.0
// SignalTests: signals as a sequence. Each in a process of its own, as signals are the process's. Conformance 48.

import Foundation
import Glibc
import TandemTesting
import Testing

@testable import Tandem

extension Core.SignalTests {
    /// Conformance 48: the loop sleeps, and no other thread of the process blocks the signals.
    @Test func signalsArriveWhileTheLoopSleeps() async {
        await #expect(processExitsWith: .success) {
            do {
                try onLoop { loop in
                    let signals = try loop.signals(.interrupt, .terminate, .user1)
                    let sent: [Signal] = [.interrupt, .terminate, .user1, .interrupt]
                    var iterator = signals.makeAsyncIterator()
                    for signal in sent {
                        Thread.detachNewThread {
                            usleep(2000)
                            kill(getpid(), signal.rawValue)
                        }
                        guard try await iterator.next() == signal else { exit(3) }
                    }
                }
            } catch { exit(2) }
            exit(0)
        }
    }

    @Test func onlyOneSequenceHasASignal() async {
        await #expect(processExitsWith: .success) {
            do {
                try onLoop { loop in
                    var first: SignalSequence? = try loop.signals(.user1, .user2)
                    do {
                        _ = try loop.signals(.user2)
                        exit(3)
                    } catch let error as GuestError { guard error.code == .alreadyRegistered else { exit(4) } }
                    withExtendedLifetime(first) {}
                    first = nil
                    _ = try loop.signals(.user2)
                }
            } catch { exit(2) }
            exit(0)
        }
    }

    /// The handler that stood there before is back, and the thread takes the signal again.
    @Test func theEndOfASequencePutsEverythingBack() async {
        await #expect(processExitsWith: .success) {
            signal(SIGUSR1) { _ in handled.store(1) }
            do {
                try onLoop { loop in
                    do {
                        let signals = try loop.signals(.user1)
                        var iterator = signals.makeAsyncIterator()
                        kill(getpid(), SIGUSR1)
                        guard try await iterator.next() == .user1, handled.load() == 0 else { exit(3) }
                    }
                    kill(getpid(), SIGUSR1)
                    guard await becomes({ handled.load() == 1 }, loop) else { exit(4) }
                    // And so does the loop's end.
                    handled.store(0)
                    kept = try loop.signals(.user1)
                }
                kill(getpid(), SIGUSR1)
                for _ in 0..<10_000 where handled.load() == 0 { usleep(1000) }
                guard handled.load() == 1 else { exit(5) }
            } catch { exit(2) }
            exit(0)
        }
    }

    @Test func theUntouchedDefaultIsBackAsWell() async {
        await #expect(processExitsWith: .signal(SIGTERM)) {
            try? onLoop { loop in _ = try loop.signals(.terminate) }
            kill(getpid(), SIGTERM)
            sleep(20)
            exit(0)
        }
    }
}

private func becomes(_ condition: () -> Bool, _ loop: GuestLoop) async -> Bool {
    for _ in 0..<10_000 where !condition() { try? await loop.sleep(for: .milliseconds(1)) }
    return condition()
}

// Safe: written on one thread of a process that runs one test.
private nonisolated(unsafe) var kept: SignalSequence?
private let handled = Number()
