// SPDX-License-Identifier: Apache-2.0
// Suspects: the watches under suspicion of doing nothing, and the handlers' calls meanwhile. What is judged, and how: see UnattendedReadiness.
// Owner:  the UI thread.

import Logging
import TandemCLinux

/// One watch under suspicion.
final class Suspect {
    let handle: IOHandle
    var suspicion: Suspicion
    var isTold = false
    /// When its handler was last called, by the machine's clock.
    fileprivate(set) var calledAt: Nanoseconds = 0
    /// The length of the pause under way.
    fileprivate(set) var pause: Nanoseconds = 0

    init(_ handle: IOHandle) {
        self.handle = handle
        let writes = handle.direction == .writable
        suspicion = Suspicion(tandem_work_of(handle.fd, writes), writes: writes)
    }

    /// As ``look()``, where that can be anything before the handler runs.
    func lookBefore() -> Int64 {
        suspicion.sign == .kernel && suspicion.work.kind == TANDEM_WORK_READINESS ? 0 : look()
    }

    /// A number that grows with the work done.
    func look() -> Int64 {
        switch suspicion.sign {
        case .kernel: tandem_work_done(handle.fd, suspicion.work.kind)
        case .thread: tandem_thread_bytes(handle.direction == .writable)
        }
    }
}

/// All of them. Each keeps its watch, so that no other one is taken for it.
struct Suspects {
    private var entries: [ObjectIdentifier: Suspect] = [:]

    subscript(handle: IOHandle) -> Suspect? { entries[ObjectIdentifier(handle)] }

    /// Those whose watch has ended meanwhile go.
    mutating func add(_ suspect: Suspect) {
        entries = entries.filter { !$0.value.handle.isDone }
        entries[ObjectIdentifier(suspect.handle)] = suspect
    }

    mutating func remove(_ handle: IOHandle) {
        handle.streak.isSuspected = false
        entries[ObjectIdentifier(handle)] = nil
    }
}

extension GuestLoop {
    /// Calls the handler of a watch that has been reported often, and looks whether it does something.
    @inline(never) func callUnderSuspicion(_ handle: IOHandle, _ body: () throws -> Void) {
        guard let suspect = io.suspect(handle) ?? io.addSuspect(handle) else { return }
        let before = suspect.lookBefore()
        call(body, handle.site)
        suspect.calledAt = LoopClock.machine
        // Its descriptor may be another file's by now.
        guard !handle.isDone else { return io.removeSuspect(handle) }
        // In a loop inside of the handler it may have run again, and been found innocent.
        guard io.suspect(handle) === suspect else { return }
        switch suspect.suspicion.judge(before: before, after: suspect.look()) {
        case .innocent:
            io.removeSuspect(handle)
            io.registrations.reportAll(handle)
        case .unclear: handle.streak.isSuspected = suspect.suspicion.isDense
        case .slow(let pause):
            handle.streak.isSuspected = true
            io.registrations.reportChanges(handle)
            suspect.pause = pause
            endLater(suspect)
        case .slowAgain: io.registrations.reportChanges(handle)
        }
    }

    private func endLater(_ suspect: Suspect) {
        let end = { [unowned self] in pauseEnded(suspect) }
        _ = arm(.call(end), time.isVirtual ? time.now : time.now.addingClamped(suspect.pause), CallSite())
    }

    private func pauseEnded(_ suspect: Suspect) {
        let handle = suspect.handle
        guard !handle.isDone, io.suspect(handle) === suspect else { return }
        let hasSeenAll = time.isVirtual || hasSeenAll(since: suspect.calledAt + suspect.pause / 2)
        if suspect.suspicion.pauseEnds(hasSeenAll: hasSeenAll), !suspect.isTold {
            suspect.isTold = true
            configuration.logger.warning(
                "the \(handle.direction.rawValue) handler of descriptor \(handle.fd), made at \(handle.site), moves no data; its reports are paused for growing moments. Read or write in it, or cancel it."
            )
        }
        io.registrations.reportAll(handle)
    }

    /// Whether every report of the time before `instant` has come to its handler. On a busy machine a thread may come to this question first.
    private func hasSeenAll(since instant: Nanoseconds) -> Bool {
        LoopClock.machine >= instant && !shared.pending.contains(.turn) && io.count == 0 && !io.hasReports
    }
}
