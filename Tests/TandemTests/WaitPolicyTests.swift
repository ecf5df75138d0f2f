// SPDX-License-Identifier: Apache-2.0
// WaitPolicyTests: what a loop takes from the times of its ticks and timers, and what its host notices of it.

import Foundation
import TandemTesting
import Testing

@testable import Tandem

extension Core {
    @Suite struct WaitPolicyTests {
        @Test func aThreadSleepsOnlyWhereItCanWakeBeforeItsDeadline() {
            let now: Nanoseconds = 5_000_000
            for (distance, isTooNear) in [(-1, true), (0, true), (19_999, true), (20_000, false), (1_000_000, false)] {
                #expect(WaitPolicy.isTooNearToSleep(now + Int64(distance), now: now) == isTooNear, "\(distance)")
            }
            #expect(!WaitPolicy.isTooNearToSleep(.never, now: now))
        }
    }
}
