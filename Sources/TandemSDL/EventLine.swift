// SPDX-License-Identifier: Apache-2.0
// EventLine: who waits for SDL's events, in the order in which they are asked.
// Idea:   an event goes to each waiting task or sequence that it matches, by priority, then by age. One that consumes it ends its way,
//         and the game does not see it.
// Owner:  the main thread.

import Tandem
import TandemCSDL

@MainActor
final class EventLine {
    /// Somebody who is asked about each event.
    struct Place {
        let number: Int
        let priority: Int
        let consumes: Bool
        /// Leaves once it has taken an event.
        let isOnce: Bool
        /// Takes the event, if it is for it. `nil`: gone, and to be forgotten.
        let take: (SDL_Event) -> Bool?
    }

    private var places: [Place] = []
    private var nextNumber = 0

    var count: Int { places.count }

    /// Adds a place behind those of the same and of higher priority. Returns its number.
    func add(priority: Int, consumes: Bool, isOnce: Bool, take: @escaping (SDL_Event) -> Bool?) -> Int {
        let number = nextNumber
        nextNumber += 1
        let index = places.firstIndex { $0.priority < priority } ?? places.endIndex
        places.insert(
            Place(number: number, priority: priority, consumes: consumes, isOnce: isOnce, take: take), at: index)
        return number
    }

    /// Harmless when repeated.
    func remove(_ number: Int) { places.removeAll { $0.number == number } }

    /// Hands an event round; `true` if somebody consumed it.
    func offer(_ event: SDL_Event) -> Bool {
        guard !places.isEmpty else { return false }
        // A copy: taking an event removes its taker.
        for place in places {
            let took = place.take(event)
            if took == nil || (took == true && place.isOnce) { remove(place.number) }
            if took == true, place.consumes { return true }
        }
        return false
    }
}
