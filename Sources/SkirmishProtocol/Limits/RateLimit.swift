// SPDX-License-Identifier: Apache-2.0
// RateLimit: so many a second, with so many saved up: a token bucket.

package struct RateLimit: Sendable {
    private let perSecond: Double
    private let burst: Double
    private var saved: Double
    private var last: Duration?
    /// How many were refused.
    package private(set) var refused = 0

    package init(perSecond: Double, burst: Double) {
        self.perSecond = perSecond
        self.burst = burst
        saved = burst
    }

    /// Whether one more is allowed at `time`, on any clock that goes forward.
    package mutating func admits(at time: Duration) -> Bool {
        if let last { saved = min(burst, saved + max(0, (time - last) / .seconds(1)) * perSecond) }
        last = time
        guard saved >= 1 else {
            refused += 1
            return false
        }
        saved -= 1
        return true
    }
}
