// SPDX-License-Identifier: Apache-2.0
// CallbackTable: the records of callbacks, timers and sleeps, 32 bytes each, half a cache line.
// Idea:   records are in chunks of memory that never move, and a freed record is used again, so that a program that
//         runs allocates nothing to schedule. A queue or heap contains the number of a record. The record belongs to
//         that queue or heap until it is freed. Each handle carries a generation, the record's `sequence`, which no
//         other callback of the loop has. Cancelling a stale handle does nothing.
// Owner:  the UI thread. Each thread stores which table its open loop has.
// Breaks: if a record is freed while a queue or heap still contains its number, another callback would run in its
//         place.

import Glibc
import Synchronization
import SystemPackage

final class CallbackTable {
    /// What the record does. `none` once it has done that, or was cancelled.
    enum Action {
        case none
        case call(() throws -> Void)
        case resume(Waiter)
    }

    /// Which queue or heap contains the record's number.
    enum Place: UInt8 {
        case free, queue, timers
        /// In the heap of a `GameClock`.
        case sleepers
    }

    struct Record {
        var action: Action
        var place: Place
        // In this order, with the sequence in two parts, the fields need no padding.
        private var sequenceHigh: UInt16
        let site: CallSite
        private var sequenceLow: UInt32

        init(_ action: consuming Action, _ place: Place, _ site: CallSite, _ sequence: UInt64) {
            self.action = action
            self.place = place
            self.site = site
            (sequenceHigh, sequenceLow) = (UInt16(sequence >> 32), UInt32(truncatingIfNeeded: sequence))
        }

        /// The number of this callback, counted from 1 for the loop: it gives the order of timers with equal deadlines,
        /// and identifies the handle. In a free record, whose action is `none`, it is the number of the next free
        /// record. 48 bits: a million a second for nine years.
        var sequence: UInt64 {
            get { UInt64(sequenceHigh) << 32 | UInt64(sequenceLow) }
            set { (sequenceHigh, sequenceLow) = (UInt16(newValue >> 32), UInt32(truncatingIfNeeded: newValue)) }
        }
    }

    private static let chunkBits: UInt32 = 9
    private static let chunkSize = 1 << Int(chunkBits)
    private static let none = UInt32.max

    // Safe: chunks are allocated in `add`, filled up to `used`, and freed in deinit.
    @exclusivity(unchecked) private var chunks = OwnedArray<UnsafeMutablePointer<Record>>()
    @exclusivity(unchecked) private var used: UInt32 = 0
    @exclusivity(unchecked) private var firstFree = none
    @exclusivity(unchecked) private var lastSequence: UInt64 = 0
    private let thread: UIThread
    /// The number by which handles refer to the table. No other table of the process has it; it is never 0.
    let number: UInt32
    // Safe: the loop sets this to `nil` when it closes, before it is deinitialised.
    private var loop: Unmanaged<GuestLoop>?

    /// Work that the loop had accepted and not run when its last reference was released on another thread.
    let lateWork = LateWork()

    private static let lastNumber = Atomic<UInt32>(0)

    init(thread: UIThread) {
        self.thread = thread
        number = Self.lastNumber.add(1, ordering: .relaxed).newValue
    }

    deinit {
        for slot in 0..<used { record(slot).deinitialize(count: 1) }
        for index in 0..<chunks.count { chunks[index].deallocate() }
    }

    /// The record; valid until it is freed.
    @inline(__always) func record(_ slot: UInt32) -> UnsafeMutablePointer<Record> {
        chunks[Int(slot >> Self.chunkBits)] + Int(slot & UInt32(Self.chunkSize - 1))
    }

    /// Adds a record. O(1).
    func add(_ action: consuming Action, _ place: Place, _ site: CallSite) -> CallbackHandle {
        lastSequence += 1
        let slot: UInt32
        if firstFree != Self.none {
            slot = firstFree
            firstFree = UInt32(record(slot).pointee.sequence)
        } else {
            slot = used
            if Int(slot >> Self.chunkBits) == chunks.count { chunks.append(Self.makeChunk()) }
            used += 1
        }
        // A free record contains nothing that has to be released.
        record(slot).initialize(to: Record(action, place, site, lastSequence))
        return CallbackHandle(table: number, slot: slot, sequence: lastSequence)
    }

    private static func makeChunk() -> UnsafeMutablePointer<Record> {
        let size = chunkSize * MemoryLayout<Record>.stride
        // The alignment ensures that no record is in two cache lines.
        return UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
            .bindMemory(to: Record.self, capacity: chunkSize)
    }

    /// Removes the action and returns it, so that it happens only once.
    @inline(__always) func take(_ slot: UInt32) -> Action {
        var action = Action.none
        swap(&record(slot).pointee.action, &action)
        return action
    }

    /// Frees the record; no queue or heap contains its number any more. The action has been taken.
    @inline(__always) func free(_ slot: UInt32) {
        let record = record(slot)
        record.pointee.place = .free
        record.pointee.sequence = UInt64(firstFree)
        firstFree = slot
    }

    /// The loop is open: from now on handles find the table.
    func open(_ loop: GuestLoop) { self.loop = .passUnretained(loop) }

    /// Before the loop opens: makes this the calling thread's table.
    ///
    /// - Throws: `.startFailed` if the process has used up its keys for what a thread keeps, or has no memory for that.
    func attach() throws(GuestError) {
        let failure = Self.created.failure == 0 ? Self.keep(self) : Self.created.failure
        if failure != 0 {
            throw GuestError(
                .startFailed, errno: Errno(rawValue: failure),
                "the thread cannot keep its loop; the process may have used up its thread-specific keys (pthread_key_create)"
            )
        }
    }

    /// Any thread, once the loop accepts nothing any more: its handles are done from now on.
    func close() {
        loop = nil
        // In a forked child, the parent's loop may be released after the child has made another one.
        if thread.isCurrent, Self.isKept(self) { _ = Self.keep(nil) }
    }

    private static func isKept(_ table: CallbackTable) -> Bool {
        // Safe: the two addresses are only compared.
        pthread_getspecific(key) == UnsafeMutableRawPointer(Unmanaged.passUnretained(table).toOpaque())
    }

    /// The table of the calling thread's loop, until that loop closes. If the loop was closed on another thread, until
    /// the thread ends or makes another loop.
    private static func keep(_ table: CallbackTable?) -> Int32 {
        let former = pthread_getspecific(key)
        // Safe: the stored table is retained, and released by the next one that is stored, or just below.
        let new = table.map { Unmanaged.passRetained($0) }
        let failure = pthread_setspecific(key, new?.toOpaque())
        if failure != 0 {
            new?.release()
        } else if let former {
            releaseKept(former)
        }
        return failure
    }

    private static func releaseKept(_ former: UnsafeMutableRawPointer) {
        // Safe: takes over the reference that was kept.
        Unmanaged<CallbackTable>.fromOpaque(former).takeRetainedValue().lateWork.end()
    }

    private static let created: (key: pthread_key_t, failure: Int32) = {
        var key = pthread_key_t()
        let failure = pthread_key_create(&key) { CallbackTable.releaseKept($0!) }
        return (key, failure)
    }()

    /// Valid once a table was attached, which no handle comes before.
    private static var key: pthread_key_t { created.key }

    /// Calls `body` with the loop whose table has that number. Returns `nil` without calling it if that loop has
    /// closed. Traps if the loop belongs to another thread.
    @inline(__always) static func withLoop<Result>(
        _ number: UInt32, _ call: StaticString, _ body: (GuestLoop) -> Result
    ) -> Result? {
        // Safe: the thread keeps the table alive, and the loop removes itself from it before it is deinitialised. If
        // `body` releases the loop, that is the last thing it does.
        if let own = pthread_getspecific(key) {
            let found: Result?? = Unmanaged<CallbackTable>.fromOpaque(own)._withUnsafeGuaranteedRef { table in
                guard table.number == number else { return nil }
                return .some(table.loop.map { $0._withUnsafeGuaranteedRef { body($0) } })
            }
            if let found { return found }
        }
        OpenLoops.thread(of: number)?.check(call)
        return nil
    }

    @inline(__always) func isDone(_ handle: CallbackHandle) -> Bool {
        let record = record(handle.slot)
        guard record.pointee.sequence == handle.sequence else { return true }
        if case .none = record.pointee.action { return true }
        return false
    }

    /// Cancels: removes and returns the action of a handle's record. `nil` if it has run, or was cancelled before. The
    /// queue or heap that contains the record's number frees the record.
    @inline(__always) func cancel(_ handle: CallbackHandle) -> (action: Action, place: Place)? {
        guard !isDone(handle) else { return nil }
        return (take(handle.slot), record(handle.slot).pointee.place)
    }
}
