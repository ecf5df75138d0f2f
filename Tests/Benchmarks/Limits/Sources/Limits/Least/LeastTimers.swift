// SPDX-License-Identifier: Apache-2.0
// LeastTimers: closures that are called after a time, in a 4-ary heap of fixed size.
// Idea:   what Tandem promises of a timer: never early, in the order of the deadlines, those of one deadline in the order of arming; a handle that
//         is out of date cancels nothing; a closure may throw, arm and cancel. A cancelled one's entry stays in the heap until it comes to its top.
// Owner:  the main thread.

import CBench

final class LeastTimers {
    struct Handle {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Entry {
        let deadline: Int64
        let order: UInt32
        let slot: UInt32

        @inline(__always) static func < (left: Entry, right: Entry) -> Bool {
            left.deadline != right.deadline
                ? left.deadline < right.deadline : Int32(bitPattern: left.order &- right.order) < 0
        }
    }

    private struct Slot {
        var body: (() throws -> Void)?
        var generation: UInt32
        /// The next slot that is free.
        var next: UInt32
    }

    private static let capacity = 4096
    // Safe, both: main thread; the memory is never freed, and `arm` looks whether there is room.
    private let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
    private let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    @exclusivity(unchecked) private var count = 0
    @exclusivity(unchecked) private var free: UInt32 = 0
    @exclusivity(unchecked) private var order: UInt32 = 0

    init() {
        for slot in 0..<Self.capacity {
            (slots + slot).initialize(to: Slot(body: nil, generation: 0, next: UInt32(slot + 1)))
        }
    }

    /// When the next one is due; a cancelled one may be in front of it.
    var nextDeadline: Int64 { count > 0 ? entries[0].deadline : .max }

    func arm(_ delay: Int64, _ body: @escaping () throws -> Void) -> Handle {
        precondition(count < Self.capacity, "too many timers")
        let slot = free
        free = slots[Int(slot)].next
        slots[Int(slot)].body = body
        order &+= 1
        rise(Entry(deadline: now() + delay, order: order, slot: slot))
        return Handle(slot: slot, generation: slots[Int(slot)].generation)
    }

    func cancel(_ handle: Handle) {
        guard slots[Int(handle.slot)].generation == handle.generation else { return }
        slots[Int(handle.slot)].body = nil
    }

    /// Calls what is due at this moment.
    func fire(_ failed: (any Error) -> Void) {
        guard count > 0 else { return }
        let present = now()
        while count > 0, entries[0].deadline <= present {
            let slot = Int(entries[0].slot)
            removeFirst()
            let body = slots[slot].body.take()
            slots[slot].generation &+= 1
            slots[slot].next = free
            free = UInt32(slot)
            do { try body?() } catch { failed(error) }
        }
    }

    @inline(__always) private func rise(_ entry: Entry) {
        var place = count
        count += 1
        while place > 0, entry < entries[(place - 1) / 4] {
            entries[place] = entries[(place - 1) / 4]
            place = (place - 1) / 4
        }
        (entries + place).initialize(to: entry)
    }

    @inline(__always) private func removeFirst() {
        count -= 1
        let last = entries[count]
        var place = 0
        while place * 4 + 1 < count {
            var least = place * 4 + 1
            for child in (least + 1)..<max(least + 1, min(least + 4, count)) where entries[child] < entries[least] {
                least = child
            }
            guard entries[least] < last else { break }
            entries[place] = entries[least]
            place = least
        }
        entries[place] = last
    }
}
