// SPDX-License-Identifier: Apache-2.0
// Support: SDL on its dummy driver, one guest at a time. SDL, the main thread and the main actor are the process's, so that every suite
// here, and every one whose loop adopts the main actor, is nested in one serialised suite: the adopted loop would run the others' tests.

import Foundation
import Tandem
import TandemSDL
import Testing

@Suite(.serialized) @MainActor struct SDL {}

extension Configuration {
    /// A budget that no tick uses up, also where the machine lets its thread wait.
    static var unhurried: Configuration { Configuration(budget: .seconds(20)) }
}

/// Starts SDL's video on the dummy driver, runs `body` with a guest, and ends both.
@MainActor
func withGuest<Value>(
    configuration: Configuration = .unhurried, mainActor: MainActorPath = .executor, handlesInterrupts: Bool = false,
    _ body: (SDLGuest) throws -> Value
) throws -> Value {
    setenv("SDL_VIDEODRIVER", "dummy", 1)
    try #require(SDL_Init(SDL_INIT_VIDEO) == 0)
    defer { SDL_Quit() }
    SDL_FlushEvents(0, SDL_LASTEVENT.rawValue)
    let guest = try SDLGuest(configuration: configuration, mainActor: mainActor, handlesInterrupts: handlesInterrupts)
    defer { guest.close() }
    return try body(guest)
}

extension SDLGuest {
    /// A host at work: sleeps in `waitEvent`, ticks, until `condition` holds. Game events are handed to `event`.
    func work(
        within limit: Duration = .seconds(20), event handler: (SDL_Event) -> Void = { _ in },
        until condition: () -> Bool
    ) -> Bool {
        let end = ContinuousClock.now.advanced(by: limit)
        var event = SDL_Event()
        while !condition() {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { return false }
            if waitEvent(&event, timeout: left) { handler(event) }
            tick()
        }
        return true
    }
}

/// How many of an event type's events stand in SDL's queue.
@MainActor
func queued(_ type: UInt32) -> Int {
    var events = [SDL_Event](repeating: SDL_Event(), count: 1000)
    return Int(SDL_PeepEvents(&events, 1000, SDL_PEEKEVENT, type, type))
}

/// Written on one thread at a time, read on another after a hand-over that the test makes sure of.
final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

/// How often the calling thread has gone to sleep.
func switches() -> Int {
    var usage = rusage()
    getrusage(1, &usage)  // RUSAGE_THREAD
    return usage.ru_nvcsw
}
