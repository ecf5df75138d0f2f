// SPDX-License-Identifier: Apache-2.0
// SignalTests: Ctrl-C is SDL_QUIT unless the game takes it. In processes of their own, as signals are the process's.

import CTestSupport
import Foundation
import Glibc
import Tandem
import TandemCLinux
import Testing

@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct SignalTests {
        /// Behaviour 48.
        @Test func aGameThatTakesInterruptsGetsNoQuitAndGivesThemBack() async {
            await #expect(processExitsWith: .success) { @MainActor in
                signal(SIGINT, SIG_DFL)
                try withGuest(handlesInterrupts: true) { guest in
                    var taken = 0
                    var quits = 0
                    var isTaking = true
                    guest.run {
                        for try await signal in try guest.loop.signals(.interrupt) {
                            guard signal == .interrupt else { exit(3) }
                            taken += 1
                            if taken == 3 { break }
                        }
                    } onDone: { _ in
                        isTaking = false
                    }
                    guest.tick()
                    for count in 1...3 {
                        kill(getpid(), SIGINT)
                        guard
                            guest.work(
                                event: { if $0.type == SDL_QUIT.rawValue { quits += 1 } }, until: { taken == count })
                        else { exit(4) }
                    }
                    guard guest.work(until: { !isTaking }), quits == 0 else { exit(5) }
                    kill(getpid(), SIGINT)
                    guard guest.work(event: { if $0.type == SDL_QUIT.rawValue { quits += 1 } }, until: { quits == 1 })
                    else { exit(6) }
                }
                exit(0)
            }
        }

        /// Behaviour 64: the terminal has gone, which several tell: the kernel, a shell, a service manager.
        @Test func theEndOfTheTerminalIsAQuitHoweverManyTellOfIt() async {
            await #expect(processExitsWith: .success) { @MainActor in
                signal(SIGHUP, SIG_DFL)
                try withGuest(handlesInterrupts: true) { guest in
                    for round in 1...3 {
                        kill(getpid(), SIGHUP)
                        var isQuit = false
                        guard
                            guest.work(event: { if $0.type == SDL_QUIT.rawValue { isQuit = true } }, until: { isQuit })
                        else { exit(Int32(2 + round)) }
                    }
                }
                exit(0)
            }
        }

        /// Another library's handler calls ours, which called it.
        @Test func aSecondGuestsFirstInterruptIsAQuitWhereAHandlerOfOthersCallsOurs() async {
            await #expect(processExitsWith: .success) { @MainActor in
                setenv("SDL_NO_SIGNAL_HANDLERS", "1", 1)
                signal(SIGINT, SIG_DFL)
                try withGuest(handlesInterrupts: true) { _ in test_chain_signal(SIGINT) }
                try withGuest(handlesInterrupts: true) { guest in
                    var quits = 0
                    kill(getpid(), SIGINT)
                    guard guest.work(event: { if $0.type == SDL_QUIT.rawValue { quits += 1 } }, until: { quits == 1 })
                    else { exit(3) }
                    guard test_chain_calls() == 1 else { exit(4) }
                }
                exit(0)
            }
        }

        /// Whatever has the number of our eventfd by then.
        @Test func aHandlerThatIsCalledAfterTheEndWritesNowhere() async {
            await #expect(processExitsWith: .success) { @MainActor in
                signal(SIGINT) { _ in }
                try withGuest(handlesInterrupts: true) { _ in test_chain_signal(SIGINT) }
                // The lowest free numbers, that of the eventfd among them.
                let others = (0..<64).map { _ in eventfd(0, Int32(EFD_NONBLOCK)) }
                kill(getpid(), SIGINT)
                for _ in 0..<10_000 where test_chain_calls() == 0 { usleep(1000) }
                guard test_chain_calls() == 1 else { exit(3) }
                for other in others {
                    var count: eventfd_t = 0
                    if eventfd_read(other, &count) == 0 { exit(4) }
                }
                exit(0)
            }
        }

        @Test func closingTheLoopAloneGivesInterruptsBack() async {
            await #expect(processExitsWith: .signal(SIGINT)) { @MainActor in
                setenv("SDL_NO_SIGNAL_HANDLERS", "1", 1)
                signal(SIGINT, SIG_DFL)
                try withGuest(handlesInterrupts: true) { guest in
                    guest.loop.close()
                    kill(getpid(), SIGINT)
                    sleep(5)
                }
                exit(0)
            }
        }
    }
}
