// SPDX-License-Identifier: Apache-2.0
// ClosingActions: actions that other parts have registered for the end of a loop.
// Owner:  the UI thread.
// Breaks: a part that ends before the loop has to remove its entry. Otherwise entries of parts that no longer exist
//         pile up.

/// The actions to be called when a loop closes, in the order in which they were added.
package final class ClosingActions {
    /// The number of an action. Numbers are not reused within a loop.
    package struct Entry: Sendable { fileprivate let number: UInt64 }

    private var actions: [UInt64: () -> Void] = [:]
    private var next: UInt64 = 0

    package var count: Int { actions.count }

    /// O(1).
    @discardableResult package func add(_ action: @escaping () -> Void) -> Entry {
        next += 1
        actions[next] = action
        return Entry(number: next)
    }

    /// O(1). Does nothing if the entry was removed, or the loop has ended.
    package func remove(_ entry: Entry) { actions[entry.number] = nil }

    /// O(n log n).
    func takeAll() -> [() -> Void] {
        defer { actions = [:] }
        return actions.sorted { $0.key < $1.key }.map(\.value)
    }
}
