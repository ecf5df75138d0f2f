// SPDX-License-Identifier: Apache-2.0
// ClosingActions: what else lives on a loop, and ends with it.
// Owner:  the UI thread.
// Breaks: whoever ends before the loop has to take his entry out; entries of what has ended would pile up.

/// What is to be done when a loop closes, in the order in which it was added.
package final class ClosingActions {
    /// An action's number; no other action of the loop's has it.
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

    /// Harmless when repeated, or after the loop's end. O(1).
    package func remove(_ entry: Entry) { actions[entry.number] = nil }

    /// O(n log n).
    func takeAll() -> [() -> Void] {
        defer { actions = [:] }
        return actions.sorted { $0.key < $1.key }.map(\.value)
    }
}
