// SPDX-License-Identifier: Apache-2.0
// SignalTests: Ctrl-C is SDL_QUIT unless the game takes it. In processes of their own, as signals are the process's.

import Foundation
import Tandem
import Testing

@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct SignalTests {
        /// Conformance 48.
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
    }
}
