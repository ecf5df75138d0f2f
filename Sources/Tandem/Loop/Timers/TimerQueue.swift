// SPDX-License-Identifier: Apache-2.0
// TimerQueue: the loop's timers and sleeps: those that are armed, ordered by deadline, and those that are due, in a
//             queue.
// Idea:   `arm` puts a record into the table and its number into the heap; `collectDue` moves the number into the queue
//         of due timers; the tick takes it from there with `nextDue`. A cancelled timer leaves an empty record, which
//         the heap removes itself.
// Owner:  the UI thread. The backend reads only the nearest deadline, which is published as one number.

import TandemCLinux

struct TimerQueue: ~Copyable {
    /// How many timers may be due and in the queue: their records and closures, some 100 bytes each, stay in the
    /// processor's nearest cache until they run. When all that were due moved at once, they were fetched from memory a
    /// second time, and a loop that a million timers a second had made late did not catch up.
    static let batchLimit = 128

    let table: CallbackTable
    private let heap: TimerHeap
    private var due = TaskQueue<DueTimer>()
    /// Whether ticks have to look for due timers themselves: in virtual time, and after the backend has ended with an
    /// error. Otherwise the backend announces them.
    private(set) var areCheckedByTicks: Bool
    private let isVirtual: Bool
    /// When a tick last looked for due timers and took all.
    private var lastLook = LoopClock.machine
    private var armed = 0
    private var cancelled = 0

    init(table: CallbackTable, isVirtual: Bool) {
        self.table = table
        heap = TimerHeap(table: table)
        self.isVirtual = isVirtual
        areCheckedByTicks = isVirtual
    }

    /// The nearest deadline; `never` without timers.
    @inline(__always) var nearest: Nanoseconds { heap.firstDeadline }
    /// Timers that are armed.
    @inline(__always) var count: Int { heap.count }
    /// How many timers are due and have not run.
    @inline(__always) var dueCount: Int { due.count }

    /// Adds a timer. O(log n), O(1) on average. The caller has to check whether it is the nearest now.
    @inline(__always) mutating func arm(
        _ action: consuming CallbackTable.Action, _ deadline: Nanoseconds, _ site: CallSite
    ) -> CallbackHandle {
        let handle = table.add(action, .timers, site)
        armed += 1
        heap.insert(handle.slot, deadline: deadline)
        return handle
    }

    /// An armed timer was cancelled: its record is empty. O(1) on average.
    @inline(__always) mutating func noteCancelled(_ slot: UInt32) {
        cancelled += 1
        heap.wasCancelled(slot)
    }

    /// Moves due timers into the queue until it has as many as it may. The rest stays in the heap for the next pass.
    ///
    /// - Parameters:
    ///   - now: The loop's time.
    ///   - mark: The machine's, from which latencies are counted.
    ///   - all: Whether there is no next pass in this tick.
    @inline(__always) mutating func collectDue(at now: Nanoseconds, mark: Nanoseconds, all: Bool) {
        let limit = all ? Int.max : Self.batchLimit
        while due.count < limit {
            guard let (slot, deadline) = heap.popDue(at: now) else {
                lastLook = mark
                return
            }
            let record = table.record(slot)
            record.pointee.place = .queue
            // A record begins with its action.
            tandem_fetch_captures(record)
            // If the deadline was in the past when the timer was set, it has been due only since then, which is later
            // than the last look.
            due.append(DueTimer(slot: slot, readyAt: isVirtual ? mark : max(deadline, lastLook)))
        }
    }

    @inline(__always) mutating func nextDue() -> DueTimer? { due.popFirst() }

    /// The backend has ended with an error: nobody announces due timers any more.
    mutating func backendFailed() { areCheckedByTicks = true }

    /// Removes all armed timers. Returns their actions, for the caller to release.
    mutating func removeAll() -> [CallbackTable.Action] {
        let released = heap.removeAll()
        cancelled += released.count
        return released
    }

    /// The tasks that sleep, in the order in which they are due. O(n log n).
    var waiters: [Waiter] { heap.waiters }

    // MARK: For reports

    var inOrder: [(slot: UInt32, deadline: Nanoseconds)] { heap.inOrder }
    func visitDue(_ body: (UInt32) -> Void) { due.visit { body($0.slot) } }

    func count(into statistics: inout Statistics) {
        statistics.timers = heap.count
        statistics.timersArmed = armed
        statistics.timersCancelled = cancelled
    }
}
