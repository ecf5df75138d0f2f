// SPDX-License-Identifier: Apache-2.0
// EventLine: who waits for SDL's events, in the order in which they are asked.
// Idea:   an event goes to each waiting task or sequence that it matches, by priority, then by age. One that consumes it ends its way,
//         and the game does not see it. A task that has taken an event goes on in the next tick only. It keeps its place until the tick
//         in which it goes on has ended, and what comes meanwhile is kept for it: a loop of waits misses nothing.
// Owner:  the main thread.

import DequeModule
import Tandem
import TandemCSDL

@MainActor
final class EventLine {
    /// Somebody who is asked about each event.
    private final class Place {
        let number: Int
        let priority: Int
        let consumes: Bool
        /// Takes the event, if it is for it. `nil`: gone, and to be forgotten.
        let take: (SDL_Event) -> Bool?
        /// Of a task that waits for one event.
        let single: Single?

        init(
            _ number: Int, priority: Int, consumes: Bool, _ single: Single?, take: @escaping (SDL_Event) -> Bool?
        ) {
            self.number = number
            self.priority = priority
            self.consumes = consumes
            self.single = single
            self.take = take
        }
    }

    /// A task that waits for one event, or has taken one and may wait again.
    private final class Single {
        let task: Int?
        let matches: (SDL_Event) -> Bool
        /// Has taken its event.
        var isServed = false
        /// The task runs again.
        var hasGoneOn = false
        /// What has come since, the oldest first.
        var kept: Deque<Kept> = []

        init(task: Int?, matches: @escaping (SDL_Event) -> Bool) {
            self.task = task
            self.matches = matches
        }
    }

    private struct Kept {
        let event: SDL_Event
        /// Nobody behind this place has seen it.
        let isConsumed: Bool
    }

    /// An event that goes on its way from behind a place.
    private struct Return {
        let event: SDL_Event
        let priority: Int
        let number: Int
    }

    /// How many events are kept for one task.
    private static let capacity = 256

    private var places: [Place] = [] { didSet { isUnused = places.isEmpty } }
    /// Nobody waits. Stored, as each wait and each tick of the game's asks.
    @exclusivity(unchecked) private(set) var isUnused = true
    private var nextNumber = 0
    private var returns: [Return] = []
    /// The events are heard of by a watch, and nothing can be kept from the game; see ``SDLGuest/EventSource``.
    var isFedByWatch = false

    var count: Int { places.count }

    /// Adds a place behind those of the same and of higher priority. Returns its number.
    func add(priority: Int, consumes: Bool, take: @escaping (SDL_Event) -> Bool?) -> Int {
        add(priority: priority, consumes: consumes, single: nil, take: take)
    }

    private func add(
        priority: Int, consumes: Bool, single: Single?, take: @escaping (SDL_Event) -> Bool?
    ) -> Int {
        let number = nextNumber
        nextNumber += 1
        let index = places.firstIndex { $0.priority < priority } ?? places.endIndex
        places.insert(Place(number, priority: priority, consumes: consumes, single, take: take), at: index)
        return number
    }

    /// Harmless when repeated.
    func remove(_ number: Int) { places.removeAll { $0.number == number } }

    /// Hands an event round; `true` if somebody consumed it.
    func offer(_ event: SDL_Event) -> Bool {
        if isUnused || isFedByWatch { return false }
        guard let index = returns.firstIndex(where: { $0.event.isSame(as: event) }) else {
            return offer(event, to: places)
        }
        // It comes back: those before the place that had kept it have been asked.
        let past = returns.remove(at: index)
        return offer(event, to: behind(past.priority, past.number))
    }

    /// As ``offer(_:)``, for what a watch has heard of.
    func offerHeard(_ event: SDL_Event) { _ = offer(event, to: places) }

    private func behind(_ priority: Int, _ number: Int) -> [Place] {
        places.filter { $0.priority < priority || ($0.priority == priority && $0.number > number) }
    }

    // The places are a copy: taking an event may remove its taker.
    private func offer(_ event: SDL_Event, to places: [Place]) -> Bool {
        for place in places {
            if let single = place.single, single.isServed {
                guard single.kept.count < Self.capacity else { continue }
                let isConsumed = place.consumes && single.matches(event)
                // A string that is not ours will be freed by the game.
                if event.carriesString, !isConsumed { continue }
                single.kept.append(Kept(event: event, isConsumed: isConsumed))
                if isConsumed { return true }
                continue
            }
            let took = place.take(event)
            if took == nil { remove(place.number) }
            if took == true {
                place.single?.isServed = true
                if place.consumes { return true }
            }
        }
        return false
    }
}

// MARK: - Tasks that wait for one event

extension EventLine {
    /// Adds the calling task, which waits for one event. Returns its place's number.
    func addSingle(
        task: Int?, priority: Int, consumes: Bool, matching matches: @escaping (SDL_Event) -> Bool,
        take: @escaping (SDL_Event) -> Bool?
    ) -> Int {
        add(priority: priority, consumes: consumes, single: Single(task: task, matches: matches), take: take)
    }

    /// The task of that place goes on. What comes until the end of this tick is kept for its next wait.
    func goesOn(_ number: Int) { places.first { $0.number == number }?.single?.hasGoneOn = true }

    /// The first event that was kept for the calling task and matches. The older ones have passed it by.
    func takeKept(
        by task: Int?, priority: Int, consuming: Bool, matching matches: @escaping (SDL_Event) -> Bool
    ) -> SDL_Event? {
        guard let task, let place = places.first(where: { $0.single?.task == task }), let single = place.single,
            single.isServed
        else { return nil }
        while let next = single.kept.popFirst() {
            let isTaken = matches(next.event)
            if next.isConsumed, !(isTaken && consuming) { sendOn(next.event, from: place) }
            guard isTaken else { continue }
            // What is left waits for the next call, which is likely to ask for the same.
            remove(place.number)
            let successor = Single(task: task, matches: matches)
            (successor.isServed, successor.hasGoneOn, successor.kept) = (true, true, single.kept)
            _ = add(priority: priority, consumes: consuming, single: successor, take: { _ in nil })
            return next.event
        }
        remove(place.number)
        return nil
    }

    /// Outside of ticks: tasks that have gone on and do not wait for an event any more leave. What they had consumed for their next wait goes
    /// on its way, to those behind them and to the game.
    func endServed() {
        guard !isUnused, places.contains(where: { $0.single?.hasGoneOn ?? false }) else { return }
        for place in places where place.single?.hasGoneOn ?? false {
            remove(place.number)
            for next in place.single!.kept where next.isConsumed { sendOn(next.event, from: place) }
        }
    }

    /// The game takes it from SDL's queue again, and offers it again.
    private func sendOn(_ event: SDL_Event, from place: Place) {
        var event = event
        if !isFedByWatch, SDL_PeepEvents(&event, 1, SDL_ADDEVENT, 0, 0) == 1 {
            // A game that flushes its queue lets some of these stand.
            if returns.count == Self.capacity { returns.removeFirst() }
            returns.append(Return(event: event, priority: place.priority, number: place.number))
        } else if !offer(event, to: behind(place.priority, place.number)), !isFedByWatch {
            event.freeString()
        }
    }
}
