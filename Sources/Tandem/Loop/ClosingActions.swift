// SPDX-License-Identifier: Apache-2.0
// ClosingActions: actions that other parts have registered for the end of a loop.
// Owner:  the UI thread.
// Breaks: a part that ends before the loop has to remove its entry. Otherwise entries of parts that no longer exist
//         pile up.

/// The actions to be called when a loop closes, in the order in which they were added.
package final class ClosingActions {
    /// The number of an action. Numbers are not reused within a loop.
    package struct Entry: Sendable { fileprivate let number: UInt64 }

    /// In the order of their numbers. No dictionary, for the reason given in `OpenLoops`.
    private var actions = OwnedArray<Registered>()
    private var next: UInt64 = 0

    private struct Registered {
        let number: UInt64
        let action: () -> Void
    }

    package var count: Int { actions.count }

    /// O(1).
    @discardableResult package func add(_ action: @escaping () -> Void) -> Entry {
        next += 1
        actions.append(Registered(number: next, action: action))
        return Entry(number: next)
    }

    /// O(n) in the actions that are left. Does nothing if the entry was removed, or the loop has ended.
    package func remove(_ entry: Entry) {
        guard let index = actions.firstIndex(where: { $0.number == entry.number }) else { return }
        _ = actions.remove(at: index)
    }

    /// O(n).
    func takeAll() -> [() -> Void] {
        let taken = (0..<actions.count).map { actions[$0].action }
        actions = OwnedArray()
        return taken
    }
}
