// SPDX-License-Identifier: Apache-2.0

import CTestSupport
import Foundation
import TandemTesting

@testable import Tandem

/// In a process of its own: a timer of 50 ms under a signal every 100 µs.
func storm() {
    guard let loop = try? ManualHost().makeLoop() else { exit(1) }
    let begin = ContinuousClock.now
    var elapsed = Duration.zero
    loop.callLater(.milliseconds(50)) { elapsed = begin.duration(to: .now) }
    test_alarm_storm(100)
    while elapsed == .zero { loop.tick() }
    test_alarm_storm(0)
    loop.close()
    exit(elapsed >= .milliseconds(50) && elapsed < .seconds(5) ? 0 : 2)
}
