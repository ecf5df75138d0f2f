// SPDX-License-Identifier: Apache-2.0
// DrivingWatch: notices that a simulation stands open and nobody drives it.
// Idea:   an `await` of a test's own, made while a simulation is open, may never return: what would resume it stands in the simulated loop,
//         which only the test itself could drive. Nothing of that thread's can tell, since it sleeps; so another one looks now and then.
// Owner:  the driving calls count on the main actor; the look comes from a queue of libdispatch's.

import Dispatch
import Synchronization

final class DrivingWatch: Sendable {
    /// Odd while a driving call is under way.
    private let changes = Atomic<Int>(0)
    private let isOver = Atomic<Bool>(false)
    private let report: @Sendable () -> Void

    init(report: @escaping @Sendable () -> Void) { self.report = report }

    /// A driving call begins or ends.
    func change() { changes.add(1, ordering: .relaxed) }

    /// The simulation is closed.
    func end() { isOver.store(true, ordering: .relaxed) }

    enum Look: Equatable {
        case over
        /// Driven since the last look, or at this moment.
        case driven(changes: Int)
        /// Open, and not driven since the last look.
        case atRest
    }

    /// One look; `last` is what the one before it saw.
    func look(last: Int) -> Look {
        if isOver.load(ordering: .relaxed) { return .over }
        let present = changes.load(ordering: .relaxed)
        return present == last && present % 2 == 0 ? .atRest : .driven(changes: present)
    }

    /// Looks once in each `interval`, by the machine's clock, until the simulation is closed, and reports once.
    func keepLooking(each interval: Duration, last: Int = 0) {
        let nanoseconds = Int(clamping: interval.nanosecondsRoundedUp)
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds)) { [self] in
            switch look(last: last) {
            case .over: return
            case .driven(let changes): keepLooking(each: interval, last: changes)
            case .atRest: report()
            }
        }
    }
}
