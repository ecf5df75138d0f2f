// SPDX-License-Identifier: Apache-2.0
// HostTests: the host conformance suite on SDL's dummy driver, and interrupts. Behaviour 48.

import Foundation
import TandemTesting
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct HostTests {
        /// An SDL program that waits for events and ticks.
        private final class Program: ConformanceHost {
            private let guest: SDLGuest
            let loop: GuestLoop

            // The suite calls on the thread that makes the host, which is the main actor's.
            init() throws {
                guest = try MainActor.assumeIsolated { try SDLGuest(handlesInterrupts: false) }
                loop = guest.loop
            }
            func run(within limit: Duration, until condition: () -> Bool) -> Bool {
                withoutActuallyEscaping(condition) { condition in
                    // Safe: called at once, on this thread.
                    nonisolated(unsafe) let condition = condition
                    let guest = guest
                    return MainActor.assumeIsolated { guest.work(within: limit) { condition() } }
                }
            }
            func close() {
                let guest = guest
                MainActor.assumeIsolated { guest.close() }
            }
        }

        @Test(arguments: HostConformance.behaviours) func theSDLHost(behaviour: HostConformance.Behaviour) throws {
            setenv("SDL_VIDEODRIVER", "dummy", 1)
            try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
            defer { SDL_Quit() }
            try behaviour.check { try Program() }
        }

        /// Behaviour 48.
        @Test(arguments: [SIGINT, SIGTERM]) func anInterruptEndsTheSleepOfTheHost(number: Int32) throws {
            signal(number, SIG_DFL)
            try withGuest(handlesInterrupts: true) { guest in
                Thread.detachNewThread { kill(getpid(), number) }
                var isQuit = false
                #expect(guest.work(event: { if $0.type == SDL_QUIT.rawValue { isQuit = true } }, until: { isQuit }))
            }
            signal(number, SIG_DFL)
        }

        /// Behaviour 48: the second one forces the end.
        @Test func aSecondInterruptEndsTheProcess() async {
            await #expect(processExitsWith: .signal(SIGINT)) { @MainActor in
                signal(SIGINT, SIG_DFL)
                setenv("SDL_VIDEODRIVER", "dummy", 1)
                SDL_Init(SDL_INIT_VIDEO)
                let guest = try SDLGuest()
                kill(getpid(), SIGINT)
                // The first is only a request; the game does not answer it.
                var isQuit = false
                _ = guest.work(event: { if $0.type == SDL_QUIT.rawValue { isQuit = true } }, until: { isQuit })
                kill(getpid(), SIGINT)
                sleep(5)
                guest.close()
            }
        }
    }
}
