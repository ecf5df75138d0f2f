// SPDX-License-Identifier: Apache-2.0
// GuestEndTests: guests that end elsewhere than where they began: let go on another thread, or in a forked child. Behaviour 5, 49.

import CTestSupport
import Foundation
import Testing

@testable import Tandem
@testable import TandemSDL

extension SDL {
    @Suite @MainActor struct GuestEndTests {
        /// What of it belongs to the main thread ends there; the main actor goes on without it.
        @Test func aGuestThatIsLetGoOnAnotherThreadGivesBackWhatItHad() async {
            await #expect(processExitsWith: .success) { @MainActor in
                setenv("SDL_NO_SIGNAL_HANDLERS", "1", 1)
                setenv("SDL_VIDEODRIVER", "dummy", 1)
                guard SDL_Init(SDL_INIT_VIDEO) == 0 else { exit(2) }
                signal(SIGINT, SIG_DFL)
                let held = Box<SDLGuest?>(try SDLGuest())
                weak let gone = held.value?.loop
                var event = SDL_Event()
                _ = held.value?.waitEvent(&event, timeout: .milliseconds(1))
                let outcome = Box("")
                held.value?.run({ try await Task.sleep(for: .seconds(1000)) }) { outcome.value = "\($0)" }
                held.value?.tick()
                let posted = Box(false)
                try held.value?.loop.post { MainActor.assumeIsolated { posted.value = true } }
                guard test_signal_is_default(SIGINT) == 0 else { exit(3) }
                let other = Thread { held.value = nil }
                other.start()
                for _ in 0..<20_000 where !other.isFinished { usleep(1000) }
                guard gone == nil else { exit(4) }
                // The main queue comes to it.
                for _ in 0..<2 { await withCheckedContinuation { next in DispatchQueue.main.async { next.resume() } } }
                guard test_signal_is_default(SIGINT) == 1 else { exit(5) }
                guard posted.value, outcome.value.contains("abandoned") else { exit(6) }
                // A push after its end finds no watch of its.
                await Task.detached {
                    var event = SDL_Event()
                    event.type = SDL_USEREVENT.rawValue
                    SDL_PushEvent(&event)
                }.value
                let next = try SDLGuest()
                next.close()
                exit(0)
            }
        }

        /// Behaviour 49. What the parent's threads were to do, nobody does in the child.
        @Test func aForkedChildClosesItsGuestAndOffloadsOnALoopOfItsOwn() async {
            await #expect(processExitsWith: .success) { @MainActor in
                setenv("SDL_VIDEODRIVER", "dummy", 1)
                guard SDL_Init(SDL_INIT_VIDEO) == 0 else { exit(2) }
                let guest = try SDLGuest()
                // The pool has a thread that sleeps, as far as the child knows.
                var isWarm = false
                guest.run({ try await guest.loop.offload {} }) { _ in isWarm = true }
                guard guest.work(until: { isWarm }) else { exit(3) }
                var status = SIGALRM
                // A lock of the runtime's that a thread held at the fork ends the child by its alarm.
                for _ in 0..<10 where status == SIGALRM {
                    status = test_fork(
                        { guest in
                            // Safe: the parent keeps the guest while the child lives.
                            let guest = Unmanaged<SDLGuest>.fromOpaque(guest!).takeUnretainedValue()
                            MainActor.assumeIsolated { guest.close() }
                            _exit(offloadOnALoop() ? 7 : 8)
                        }, Unmanaged.passUnretained(guest).toOpaque())
                }
                guard status == 7 << 8 else {
                    print("the child's status is \(status)")
                    exit(4)
                }
                var isDone = false
                guest.run({ try await guest.loop.offload {} }) { _ in isDone = true }
                guard guest.work(until: { isDone }) else { exit(5) }
                guest.close()
                exit(0)
            }
        }
    }
}

private final class Quiet: GuestHost { func requestTick() -> Bool { true } }

private func offloadOnALoop() -> Bool {
    guard let loop = try? GuestLoop(host: Quiet()) else { return false }
    let result = Box(0)
    loop.run({ try await loop.offload { 9 } }) { result.value = (try? $0.get()) ?? -1 }
    for _ in 0..<4000 where result.value == 0 {
        loop.tick()
        usleep(1000)
    }
    loop.close()
    return result.value == 9
}
