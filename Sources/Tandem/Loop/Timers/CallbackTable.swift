// SPDX-License-Identifier: Apache-2.0
// CallbackTable: what is scheduled: each callback, timer and sleep in a record of 32 bytes, half a cache line.
// Idea:   records stand in chunks that never move, and a free one is used again, so that in a steady state scheduling allocates
//         nothing. Queues and heaps hold a record's number; a record belongs to the one that holds it until that lets it go.
//         Each handle carries a generation, the record's `sequence`, which no other callback of the loop ever has. Cancelling a stale handle
//         does nothing.
// Owner:  the UI thread, which knows the table of its open loop.
// Breaks: freeing a record whose number still stands in a queue or heap would run somebody else's callback there.

import Glibc
import Synchronization

final class CallbackTable {
    /// What is to happen. `none` once it has, or was called off.
    enum Action {
        case none
        case call(() throws -> Void)
        case resume(Waiter)
    }

    /// Where a record's number stands.
    enum Place: UInt8 {
        case free, queue, timers
        /// In the heap of a `GameClock`.
        case sleepers
    }

    struct Record {
        var action: Action
        var place: Place
        // In this order and these halves nothing is lost to alignment.
        private var sequenceHigh: UInt16
        let site: CallSite
        private var sequenceLow: UInt32

        init(_ action: consuming Action, _ place: Place, _ site: CallSite, _ sequence: UInt64) {
            self.action = action
            self.place = place
            self.site = site
            (sequenceHigh, sequenceLow) = (UInt16(sequence >> 32), UInt32(truncatingIfNeeded: sequence))
        }

        /// Which callback of the loop's this is, counted from 1: the order of arming, and what makes a handle its own. In a free record,
        /// whose action is `none`, the next free one's number. 48 bits: a million a second for nine years.
        var sequence: UInt64 {
            get { UInt64(sequenceHigh) << 32 | UInt64(sequenceLow) }
            set { (sequenceHigh, sequenceLow) = (UInt16(newValue >> 32), UInt32(truncatingIfNeeded: newValue)) }
        }
    }

    private static let chunkBits: UInt32 = 9
    private static let chunkSize = 1 << Int(chunkBits)
    private static let none = UInt32.max

    // Safe: chunks are allocated in `add`, filled up to `used`, and freed in deinit.
    @exclusivity(unchecked) private var chunks: [UnsafeMutablePointer<Record>] = []
    @exclusivity(unchecked) private var used: UInt32 = 0
    @exclusivity(unchecked) private var firstFree = none
    @exclusivity(unchecked) private var lastSequence: UInt64 = 0
    private let thread: UIThread
    /// What its handles know it by; no other table of the process has it, nor 0.
    let number: UInt32
    // Safe: the loop takes itself out when it closes, before it goes.
    private var loop: Unmanaged<GuestLoop>?

    /// What the loop still owed when it was let go on another thread.
    let lateWork = LateWork()

    private static let lastNumber = Atomic<UInt32>(0)

    init(thread: UIThread) {
        self.thread = thread
        number = Self.lastNumber.add(1, ordering: .relaxed).newValue
    }

    deinit {
        for slot in 0..<used { record(slot).deinitialize(count: 1) }
        for chunk in chunks { chunk.deallocate() }
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
        // A free record has nothing to release.
        record(slot).initialize(to: Record(action, place, site, lastSequence))
        return CallbackHandle(table: number, slot: slot, sequence: lastSequence)
    }

    private static func makeChunk() -> UnsafeMutablePointer<Record> {
        let size = chunkSize * MemoryLayout<Record>.stride
        // So that no record lies across two cache lines.
        return UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
            .bindMemory(to: Record.self, capacity: chunkSize)
    }

    /// Takes the action out, so that it happens once.
    @inline(__always) func take(_ slot: UInt32) -> Action {
        var action = Action.none
        swap(&record(slot).pointee.action, &action)
        return action
    }

    /// Whoever held the number lets it go. The action has been taken.
    @inline(__always) func free(_ slot: UInt32) {
        let record = record(slot)
        record.pointee.place = .free
        record.pointee.sequence = UInt64(firstFree)
        firstFree = slot
    }

    /// The loop is open: handles find the table from now on.
    func open(_ loop: GuestLoop) {
        self.loop = .passUnretained(loop)
        Self.keep(self)
    }

    /// Any thread, once the loop takes nothing any more: its handles are done.
    func close() {
        loop = nil
        // In a child of `fork` the parent's loop may be let go of after another one was made.
        if thread.isCurrent, Self.isKept(self) { Self.keep(nil) }
    }

    private static func isKept(_ table: CallbackTable) -> Bool {
        // Safe: the two addresses are compared and not followed.
        pthread_getspecific(key) == UnsafeMutableRawPointer(Unmanaged.passUnretained(table).toOpaque())
    }

    /// The calling thread's table, until its loop closes. One that was closed from elsewhere stays until the thread ends or makes another.
    private static func keep(_ table: CallbackTable?) {
        let former = pthread_getspecific(key)
        // Safe: what stands there is retained, and released by whatever comes next.
        pthread_setspecific(key, table.map { Unmanaged.passRetained($0).toOpaque() })
        if let former { letGo(former) }
    }

    private static func letGo(_ former: UnsafeMutableRawPointer) {
        // Safe: takes over the reference that was kept.
        Unmanaged<CallbackTable>.fromOpaque(former).takeRetainedValue().lateWork.end()
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = pthread_key_create(&key) { CallbackTable.letGo($0!) }
        precondition(result == 0, "pthread_key_create gave \(result); the process has used up its keys")
        return key
    }()

    /// Runs `body` with the loop whose table has that number; `nil` without, if it has closed. Traps if it is another thread's.
    @inline(__always) static func withLoop<Result>(
        _ number: UInt32, _ call: StaticString, _ body: (GuestLoop) -> Result
    ) -> Result? {
        // Safe: the thread keeps the table, and the loop takes itself out before it goes; if `body` ends the loop, then as the last thing it does.
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

    func isDone(_ handle: CallbackHandle) -> Bool {
        let record = record(handle.slot)
        guard record.pointee.sequence == handle.sequence else { return true }
        if case .none = record.pointee.action { return true }
        return false
    }

    /// Empties the record of a handle, so that its action does not happen; `nil` if it has happened, or was called off before. Whoever holds the
    /// record's number frees it.
    func cancel(_ handle: CallbackHandle) -> (action: Action, place: Place)? {
        guard !isDone(handle) else { return nil }
        return (take(handle.slot), record(handle.slot).pointee.place)
    }
}
