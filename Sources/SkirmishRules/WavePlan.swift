// SPDX-License-Identifier: Apache-2.0
// WavePlan: who comes in which wave, and how long after the one before.

/// The plan of one wave.
package struct WavePlan: Sendable {
    /// One arrival.
    package struct Arrival: Sendable, Hashable {
        /// Seconds after the one before.
        package let delay: Double
        package let kind: Drone.Kind
    }

    package let number: Int
    package let arrivals: [Arrival]

    /// The plan of wave `number`, counted from 1. Waves grow to a limit that one can still play.
    package init(number: Int) {
        self.number = number
        let count = min(4 + 2 * number, 40)
        let delay = max(0.25, 1.1 - 0.06 * Double(number))
        arrivals = (0..<count).map { index in
            let kind: Drone.Kind =
                number >= 3 && index % 6 == 5 ? .splitter : number >= 2 && index % 3 == 2 ? .orbiter : .chaser
            return Arrival(delay: delay, kind: kind)
        }
    }
}
