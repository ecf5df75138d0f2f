// SPDX-License-Identifier: Apache-2.0
// HeardEvents: SDL's events as an event watch hears of them, for programs whose own SDL library shows their types only.
// Idea:   a watch is told of each event on the thread that pushes it, before the game can take it. What it hears is gathered, and handed round in
//         the next tick.
// Owner:  `hear` runs on any thread; the rest is the main thread's.

import Synchronization
import Tandem
import TandemCSDL

extension SDLGuest {
    /// Where tasks and sequences that wait for SDL's events hear of them.
    public enum EventSource: Sendable, Hashable {
        /// From the events that the game gives to ``SDLGuest/handle(_:)``, and from those that ``SDLGuest/waitEvent(_:timeout:)`` and
        /// frame loops take.
        case handledEvents
        /// From a watch on SDL's queue: for Swift bindings of SDL2 that take the events by themselves and hand out a type of their own, so that the
        /// game can only call ``SDLGuest/handle(eventType:)``.
        ///
        /// Each event is heard of in the tick after its push. None can be kept from the game: consuming ones only end its way to tasks of
        /// lower priority. Kinds that carry memory of SDL's (dropped files and texts, long edited texts, the system's messages) are not heard of.
        case eventWatch
    }

    /// Where waits for events hear of them: at first, from the events that the game handles.
    public var eventSource: EventSource {
        get { heard == nil ? .handledEvents : .eventWatch }
        set {
            guard newValue != eventSource else { return }
            if newValue == .eventWatch {
                let heard = HeardEvents(loop) { [weak self] in self?.handRoundHeard() }
                self.heard = heard
                watch.stand()
                PushedEvents.shared.hearAll { heard.hear($0) }
            } else {
                heard = nil
                PushedEvents.shared.hearAll(nil)
            }
            events.isFedByWatch = newValue == .eventWatch
            loop.leavesOutIdleTicks = false
        }
    }

    private func handRoundHeard() {
        for event in heard?.take() ?? [] {
            wantsFrame = true
            events.offerHeard(event)
        }
    }

    /// Outside of ticks: what SDL forgets when its events end is said again, and who took an event and waits for no other is forgotten.
    func tendEvents() {
        guard !loop.isInTick else { return }
        if heard != nil, loop.isOpen { watch.stand() }
        events.endServed()
    }
}

final class HeardEvents: Sendable {
    private let loop: GuestLoop
    private let handRound: @MainActor () -> Void
    private let lock = Lock()
    // Safe: touched with `lock` held. The oldest first; when a program does not tick for long, the newest are kept.
    private nonisolated(unsafe) var gathered: [SDL_Event] = []
    private static let capacity = 1024

    init(_ loop: GuestLoop, handRound: @escaping @MainActor () -> Void) {
        self.loop = loop
        self.handRound = handRound
    }

    func hear(_ event: SDL_Event) {
        guard !event.carriesString, event.type != SDL_SYSWMEVENT.rawValue else { return }
        lock.lock()
        let isFirst = gathered.isEmpty
        if gathered.count == Self.capacity { gathered.removeFirst() }
        gathered.append(event)
        lock.unlock()
        // A refusal means that the loop has closed, which ends all waits.
        if isFirst { try? loop.post { [handRound] in MainActor.assumeIsolated { handRound() } } }
    }

    func take() -> [SDL_Event] {
        lock.lock()
        defer { lock.unlock() }
        let taken = gathered
        gathered = []
        return taken
    }
}
