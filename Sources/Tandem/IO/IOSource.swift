// SPDX-License-Identifier: Apache-2.0
// IOSource: where a tick gets the events of descriptors from: the backend's poll, or a sleep or poll of the UI thread.
// Idea:   an event of the kernel becomes a `ReadyDescriptor` in a queue. Other code may run before its handler, and may
//         close the descriptor, whose number may be used again. So the watch is looked up when the entry's turn in the
//         queue has come.
// Owner:  the UI thread, which has the turn when it calls `takeFound`, `poll` and `takeIn`.
// Breaks: only this, and the backend while it has the turn, may poll or read the event buffer.

import SystemPackage

final class IOSource {
    let registrations: RegistrationTable
    private let poller: Poller
    @exclusivity(unchecked) private var queue = TaskQueue<ReadyDescriptor>()
    /// No handler has run since the poll that found what is in the queue, so that none can have closed a descriptor.
    @exclusivity(unchecked) private var isFresh = false
    private var checkedWatches = CheckedWatches()
    @exclusivity(unchecked) private var polls = 0
    private var staleEvents = 0

    init(poller: Poller, thread: UIThread) {
        self.poller = poller
        registrations = RegistrationTable(poller: poller, thread: thread)
    }

    @inline(__always) var count: Int { queue.count }

    /// A tick begins, or goes on after a modal loop: other code may have closed descriptors since the events in the
    /// queue were found.
    @inline(__always) func expectChanges() { isFresh = false }

    /// Takes the events that the backend, or a sleep of this thread, has found. Returns how many belonged to a watch.
    func takeFound(now: Nanoseconds) -> Int {
        let (count, time) = poller.takeFound()
        return takeIn(count, foundAt: time, now: now)
    }

    /// Polls without waiting. Pass the result to ``takeIn(_:foundAt:now:)``.
    func poll() throws(Errno) -> Int {
        polls += 1
        // The poll has not checked the events that are in the queue already.
        isFresh = queue.isEmpty
        return try poller.wait(.nanoseconds(0))
    }

    /// Whether the next poll would find something. Nothing is taken from the epoll set.
    var hasReports: Bool { poller.hasReports }

    /// Puts the events that a poll has found into the queue. Returns how many belonged to a watch.
    func takeIn(_ count: Int, foundAt: Nanoseconds, now: Nanoseconds) -> Int {
        var known = 0
        for index in 0..<count {
            let event = poller[index]
            if poller.handleOwn(event) { continue }
            if registrations.report(event, at: foundAt, { queue.append($0) }) {
                known += 1
            } else {
                staleEvents += 1
                registrations.noteStale(event, at: now)
            }
        }
        return known
    }

    /// Removes the first entry of the queue.
    @inline(__always) func next() -> ReadyDescriptor? { queue.popFirst() }

    /// The watch whose handler has to run for an event, unless it has ended meanwhile. Valid until the handler runs.
    @inline(__always) func watch(for report: borrowing ReadyDescriptor) -> Unmanaged<IOHandle>? {
        // The first handler after a poll of this thread runs in the state that was polled. Before each further one the
        // kernel is asked, since the handlers before it may have closed descriptors.
        guard let handle = registrations.takeReport(report, asks: !isFresh) else { return nil }
        isFresh = false
        return handle
    }

    // MARK: Watches whose handlers seem to do nothing; see `IdleHandlers`

    func checked(_ handle: IOHandle) -> CheckedWatch? { checkedWatches[handle] }

    /// `nil` if the descriptor was closed and there is no handler to call any more.
    func addChecked(_ handle: IOHandle) -> CheckedWatch? {
        guard registrations.isStillThere(handle) else { return nil }
        let watch = CheckedWatch(handle)
        checkedWatches.add(watch)
        return watch
    }

    func removeChecked(_ handle: IOHandle) { checkedWatches.remove(handle) }

    // MARK: For reports

    func visit(_ body: (borrowing ReadyDescriptor) -> Void) { queue.visit(body) }

    func count(into statistics: inout Statistics) {
        statistics.registrations = registrations.count
        statistics.hotPolls = polls
        statistics.staleEvents = staleEvents
    }
}
