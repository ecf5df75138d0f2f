// SPDX-License-Identifier: Apache-2.0
// IOSource: where a tick gets its descriptors' events: what the backend has found, or what a poll of the UI thread's finds.
// Idea:   the kernel's reports become `ReadyDescriptor`s in a line. Between a report and its handler other code runs, which may close the
//         descriptor and have its number used again: so the watch is looked up when its turn in the line has come.
// Owner:  the UI thread, which has the turn when it calls `takeFound`, `poll` and `takeIn`.
// Breaks: nobody else may poll or read the event buffer, but for the backend when it has the turn.

import SystemPackage

final class IOSource {
    let registrations: RegistrationTable
    private let poller: Poller
    private let line = TaskQueue<ReadyDescriptor>()
    /// No handler has run since the poll that found what stands in line, so that none can have closed a descriptor.
    @exclusivity(unchecked) private var isFresh = false
    private var suspects = Suspects()
    @exclusivity(unchecked) private var polls = 0
    private var staleEvents = 0

    init(poller: Poller, thread: UIThread) {
        self.poller = poller
        registrations = RegistrationTable(poller: poller, thread: thread)
    }

    @inline(__always) var count: Int { line.count }

    /// A tick begins, or goes on after a modal loop: what stands in line may be older than what others have done since.
    @inline(__always) func expectChanges() { isFresh = false }

    /// Takes in what the backend has found. Returns how many reports were for somebody.
    func takeFound(now: Nanoseconds) -> Int {
        let (count, time) = poller.takeFound()
        return takeIn(count, foundAt: time, now: now)
    }

    /// Polls without waiting. Returns what is to be given to ``takeIn(_:foundAt:now:)``.
    func poll() throws(Errno) -> Int {
        polls += 1
        // What stands in line already, this poll has not asked about.
        isFresh = line.isEmpty
        return try poller.wait(.nanoseconds(0))
    }

    /// Whether the next poll would find something. It is not taken away from whoever has the turn.
    var hasReports: Bool { poller.hasReports }

    /// Puts the reports that a poll has found into the line. Returns how many were for somebody.
    func takeIn(_ count: Int, foundAt: Nanoseconds, now: Nanoseconds) -> Int {
        var known = 0
        for index in 0..<count {
            let event = poller[index]
            if poller.isOwn(event) { continue }
            if registrations.report(event, at: foundAt, { line.append($0) }) {
                known += 1
            } else {
                staleEvents += 1
                registrations.noteStale(event, at: now)
            }
        }
        return known
    }

    /// The first in line.
    @inline(__always) func next() -> ReadyDescriptor? { line.popFirst() }

    /// The watch whose handler is to run for a report, if it has not ended meanwhile.
    @inline(__always) func watch(for report: borrowing ReadyDescriptor) -> IOHandle? {
        // The first handler after a poll of this thread's sees the world as it was polled; the next ones see what the earlier ones did to it.
        guard let handle = registrations.takeReport(report, asks: !isFresh) else { return nil }
        isFresh = false
        return handle
    }

    // MARK: Handlers that seem to do nothing; see `Suspects`

    func suspect(_ handle: IOHandle) -> Suspect? { suspects[handle] }

    /// `nil` if there is nothing to be called any more: the descriptor was closed.
    func addSuspect(_ handle: IOHandle) -> Suspect? {
        guard registrations.isStillThere(handle) else { return nil }
        let suspect = Suspect(handle)
        suspects.add(suspect)
        return suspect
    }

    func removeSuspect(_ handle: IOHandle) { suspects.remove(handle) }

    // MARK: For reports

    func visit(_ body: (borrowing ReadyDescriptor) -> Void) { line.visit(body) }

    func count(into statistics: inout Statistics) {
        statistics.registrations = registrations.count
        statistics.hotPolls = polls
        statistics.staleEvents = staleEvents
    }
}
