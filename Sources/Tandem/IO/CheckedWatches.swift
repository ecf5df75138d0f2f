// SPDX-License-Identifier: Apache-2.0
// CheckedWatches: the watches whose handlers seem to do nothing, and the calls of those handlers while they are
//                 checked. How they are checked is in `IdleHandlers`.
// Owner:  the UI thread.

import Logging
import TandemCLinux

/// One watch whose handler is checked.
final class CheckedWatch {
    let handle: IOHandle
    var check: IdleHandlerCheck
    /// The log says already that the handler does nothing.
    var isLogged = false
    /// When its handler was last called, by the machine's clock.
    fileprivate(set) var calledAt: Nanoseconds = 0
    /// The length of the pause under way.
    fileprivate(set) var pause: Nanoseconds = 0

    init(_ handle: IOHandle) {
        self.handle = handle
        let writes = handle.direction == .writable
        check = IdleHandlerCheck(tandem_work_of(handle.fd, writes), writes: writes)
    }

    /// The number of ``workDone()`` before the handler runs. It is 0 where the kernel tells only whether the descriptor
    /// is ready, since it was ready then.
    func workDoneBefore() -> Int64 {
        check.sign == .kernel && check.work.kind == TANDEM_WORK_READINESS ? 0 : workDone()
    }

    /// A number that grows with the work that the handler does.
    func workDone() -> Int64 {
        switch check.sign {
        case .kernel: tandem_work_done(handle.fd, check.work.kind)
        case .thread: tandem_thread_bytes(handle.direction == .writable)
        }
    }
}

/// All of them; as a rule none or one, whose handler runs now. So they are searched, and not hashed: the first dictionary of
/// a kind has the runtime search every conformance of the program, 350,000 instructions in the middle of a game's frame.
struct CheckedWatches {
    private var watches: [CheckedWatch] = []

    subscript(handle: IOHandle) -> CheckedWatch? { watches.first { $0.handle === handle } }

    /// Removes those that have ended, too.
    mutating func add(_ watch: CheckedWatch) {
        watches.removeAll { $0.handle.isDone || $0.handle === watch.handle }
        watches.append(watch)
    }

    mutating func remove(_ handle: IOHandle) {
        handle.streak.checksEach = false
        watches.removeAll { $0.handle === handle }
    }
}

extension GuestLoop {
    /// Calls the handler of a watch that has been reported often, and checks whether it does something.
    @inline(never) func callChecked(_ handle: IOHandle, _ body: () throws -> Void) {
        guard let watch = io.checked(handle) ?? io.addChecked(handle) else { return }
        let before = watch.workDoneBefore()
        call(body, handle.site)
        watch.calledAt = LoopClock.machine
        // Its descriptor may be another file's by now.
        guard !handle.isDone else { return io.removeChecked(handle) }
        // In a loop inside of the handler it may have run again, and been found to work.
        guard io.checked(handle) === watch else { return }
        switch watch.check.judge(before: before, after: watch.workDone()) {
        case .works:
            io.removeChecked(handle)
            io.registrations.reportAll(handle)
        case .unclear: handle.streak.checksEach = watch.check.checksEachReport
        case .pause(let pause):
            handle.streak.checksEach = true
            io.registrations.reportChanges(handle)
            watch.pause = pause
            endLater(watch)
        case .pauseGoesOn: io.registrations.reportChanges(handle)
        }
    }

    private func endLater(_ watch: CheckedWatch) {
        let end = { [unowned self] in pauseEnded(watch) }
        _ = arm(.call(end), time.isVirtual ? time.now : time.now.addingClamped(watch.pause), CallSite())
    }

    private func pauseEnded(_ watch: CheckedWatch) {
        let handle = watch.handle
        guard !handle.isDone, io.checked(handle) === watch else { return }
        let hasSeenAll = time.isVirtual || hasSeenAll(since: watch.calledAt + watch.pause / 2)
        if watch.check.pauseEnds(hasSeenAll: hasSeenAll), !watch.isLogged {
            watch.isLogged = true
            configuration.logger.warning(
                "the \(handle.direction.rawValue) handler of descriptor \(handle.fd), made at \(handle.site), moves no data; its reports are paused for growing moments. Read or write in it, or cancel it."
            )
        }
        io.registrations.reportAll(handle)
    }

    /// Whether every report of the time before `instant` has come to its handler. On a busy machine this may be asked
    /// before a report has arrived.
    private func hasSeenAll(since instant: Nanoseconds) -> Bool {
        LoopClock.machine >= instant && !shared.pending.contains(.turn) && io.count == 0 && !io.hasReports
    }
}
