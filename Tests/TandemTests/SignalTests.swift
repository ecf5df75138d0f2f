// SPDX-License-Identifier: Apache-2.0
// SignalTests: signals as a sequence. Each in a process of its own, as signals are the process's. Behaviour 48.

import CTestSupport
import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.SignalTests {
    /// Behaviour 48: the loop sleeps, and no other thread of the process blocks the signals.
    @Test func signalsArriveWhileTheLoopSleeps() async {
        await #expect(processExitsWith: .success) {
            do {
                try onLoop { loop in
                    let signals = try loop.signals(.interrupt, .terminate, .user1)
                    let sent: [GuestSignal] = [.interrupt, .terminate, .user1, .interrupt]
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

    /// The C library keeps 32 for itself, so that `sigaction` refuses it. The other signal of the sequence is free again.
    @Test func aSignalThatTheSystemRefusesIsAnErrorAndNothingIsLeftBehind() async {
        await #expect(processExitsWith: .success) {
            signal(SIGUSR1) { _ in handled.store(1) }
            do {
                try onLoop { loop in
                    do {
                        _ = try loop.signals(.user1, GuestSignal(rawValue: 32))
                        exit(3)
                    } catch let error as GuestError {
                        guard error.code == .startFailed, error.errno == .invalidArgument else { exit(4) }
                    }
                    kill(getpid(), SIGUSR1)
                    guard await becomes({ handled.load() == 1 }, loop) else { exit(5) }
                    var iterator = try loop.signals(.user1).makeAsyncIterator()
                    kill(getpid(), SIGUSR1)
                    guard try await iterator.next() == .user1 else { exit(6) }
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

    /// Behaviour 60: started by the UI thread, and by a body on the offload pool.
    @Test func aProcessThatIsStartedWhileASequenceStandsIsEndedByItsSignals() async {
        await #expect(processExitsWith: .success) {
            test_block_no_signal()
            do {
                try onLoop { loop in
                    let signals = try loop.signals(.terminate, .interrupt)
                    let children = [startSleeper(), try await loop.offload { startSleeper() }]
                    for child in children {
                        guard child > 0 else { exit(3) }
                        kill(child, SIGTERM)
                        var status: Int32 = 0
                        for _ in 0..<10_000 where waitpid(child, &status, WNOHANG) == 0 { usleep(1000) }
                        guard status & 0x7F == SIGTERM else {
                            kill(child, SIGKILL)
                            exit(4)
                        }
                    }
                    withExtendedLifetime(signals) {}
                }
            } catch { exit(2) }
            exit(0)
        }
    }

    /// Behaviour 63: what has arrived and nobody has taken.
    @Test func signalsThatASequenceHasGotAndNotGivenOutDoNotEndTheProcess() async {
        await #expect(processExitsWith: .success) {
            test_block_no_signal()
            do {
                try onLoop { loop in
                    let signals = try loop.signals(.terminate, .user1)
                    raise(SIGTERM)
                    raise(SIGTERM)
                    raise(SIGUSR1)
                    // The first of the two, by its number.
                    for try await signal in signals {
                        guard signal == .user1 else { exit(3) }
                        break
                    }
                }
            } catch { exit(2) }
            exit(0)
        }
    }

    /// Behaviour 63.
    @Test func signalsThatArriveAtABackendsFailureDoNotEndTheProcess() async {
        await #expect(processExitsWith: .success) {
            test_block_no_signal()
            do {
                try withLoop { host, loop in
                    var outcome: Result<Void, any Error>?
                    loop.run({
                        let signals = try loop.signals(.terminate)
                        var iterator = signals.makeAsyncIterator()
                        _ = try await iterator.next()
                        _ = try await iterator.next()
                    }) { outcome = $0 }
                    host.tick()
                    loop.breakPolling()
                    raise(SIGTERM)
                    raise(SIGTERM)
                    loop.shared.wakeBackend()
                    guard host.run(within: .seconds(10), until: { outcome != nil }) else { exit(3) }
                }
            } catch { exit(2) }
            exit(0)
        }
    }

    /// A game may let go of its signals and wait for them again at each pause.
    @Test func aSequenceThatHasEndedLeavesNothingOnItsLoop() throws {
        try withLoop { host, loop in
            for _ in 0..<100 { _ = try loop.signals(.windowChange) }
            #expect(loop.closingActions.count == 0)
            // And from another thread.
            let signals = Box<SignalSequence?>(try loop.signals(.windowChange))
            #expect(loop.closingActions.count == 1)
            Thread.detachNewThread { signals.value = nil }
            #expect(host.run { loop.closingActions.count == 0 })
        }
    }

    /// The thread blocks it for reasons of its own, and no other one takes it.
    @Test func aSignalThatItsThreadBlocksIsLetThroughWhileTheSequenceStands() async {
        await #expect(processExitsWith: .success) {
            var (all, mask) = (sigset_t(), sigset_t())
            sigemptyset(&all)
            sigaddset(&all, SIGUSR2)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            raise(SIGUSR2)
            do {
                try onLoop { loop in
                    for try await signal in try loop.signals(.user2) {
                        guard signal == .user2 else { exit(3) }
                        break
                    }
                }
            } catch { exit(2) }
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            exit(sigismember(&mask, SIGUSR2) == 1 ? 0 : 4)
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

/// A process that sleeps for a minute. Started as C does it, with the mask of this thread.
private func startSleeper() -> pid_t {
    var child: pid_t = 0
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/sleep"), strdup("60"), nil]
    defer { for argument in arguments { free(argument) } }
    return posix_spawn(&child, "/bin/sleep", nil, nil, arguments, environ) == 0 ? child : -1
}

// Safe: written on one thread of a process that runs one test.
private nonisolated(unsafe) var kept: SignalSequence?
private let handled = Number()
