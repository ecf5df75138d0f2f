// SPDX-License-Identifier: Apache-2.0
// SeamAtomic: an `Atomic` whose operations are points of a schedule. It stands in the module, so that the sources, which
//             say `Atomic`, mean this one instead of the standard library's.
// Idea:   the value lies under a lock: the standard library has each operation once for each size of value, not for all
//         values. One participant runs at a time, so that only threads outside of a schedule ever wait here.
// Order:  every order is a total one here, whatever the sources say. What weaker orders allow is not seen.

import Synchronization

struct Atomic<Value: AtomicRepresentable>: ~Copyable {
    private let isTaken = Synchronization.Atomic<Bool>(false)
    // Safe: allocated once, freed in deinit, used with the lock held.
    private let value: UnsafeMutablePointer<Value>

    init(_ value: consuming Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
    }

    func load(ordering: AtomicLoadOrdering, _ line: UInt32 = #line) -> Value {
        seam("load", line)
        return locked { $0 }
    }

    func store(_ new: Value, ordering: AtomicStoreOrdering, _ line: UInt32 = #line) {
        seam("store", line)
        locked { $0 = new }
    }

    func exchange(_ new: Value, ordering: AtomicUpdateOrdering, _ line: UInt32 = #line) -> Value {
        seam("exchange", line)
        return locked { value in
            defer { value = new }
            return value
        }
    }

    private func locked<Result>(_ body: (inout Value) -> Result) -> Result {
        while isTaken.exchange(true, ordering: .acquiring) {}
        defer { isTaken.store(false, ordering: .releasing) }
        return body(&value.pointee)
    }
}

// Safe: as the standard library's.
extension Atomic: @unchecked Sendable {}

extension Atomic where Value: Equatable {
    @discardableResult
    func compareExchange(
        expected: Value, desired: Value, ordering: AtomicUpdateOrdering, _ line: UInt32 = #line
    ) -> (exchanged: Bool, original: Value) {
        seam("compareExchange", line)
        return locked { value in
            let original = value
            if original == expected { value = desired }
            return (original == expected, original)
        }
    }

    /// As the strong one: no schedule makes it fail for nothing.
    func weakCompareExchange(
        expected: Value, desired: Value, ordering: AtomicUpdateOrdering, _ line: UInt32 = #line
    ) -> (exchanged: Bool, original: Value) {
        compareExchange(expected: expected, desired: desired, ordering: ordering, line)
    }
}

extension Atomic where Value: FixedWidthInteger {
    /// No point: these are counts, which nobody waits for.
    @discardableResult
    func add(_ difference: Value, ordering: AtomicUpdateOrdering) -> (oldValue: Value, newValue: Value) {
        update { $0 + difference }
    }

    @discardableResult
    func subtract(
        _ difference: Value, ordering: AtomicUpdateOrdering, _ line: UInt32 = #line
    ) -> (oldValue: Value, newValue: Value) {
        seam("subtract", line)
        return update { $0 - difference }
    }

    @discardableResult
    func bitwiseOr(
        _ bits: Value, ordering: AtomicUpdateOrdering, _ line: UInt32 = #line
    ) -> (oldValue: Value, newValue: Value) {
        seam("bitwiseOr", line)
        return update { $0 | bits }
    }

    @discardableResult
    func bitwiseAnd(
        _ bits: Value, ordering: AtomicUpdateOrdering, _ line: UInt32 = #line
    ) -> (oldValue: Value, newValue: Value) {
        seam("bitwiseAnd", line)
        return update { $0 & bits }
    }

    private func update(_ change: (Value) -> Value) -> (oldValue: Value, newValue: Value) {
        locked { value in
            let old = value
            value = change(old)
            return (old, value)
        }
    }
}
