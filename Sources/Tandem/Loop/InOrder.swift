// SPDX-License-Identifier: Apache-2.0
// InOrder: a set of objects that can be visited in the order in which they were added.
// Idea:   a dictionary by identity, so that removing is fast, with a number in each entry for the order. A dictionary's
//         own order differs from process to process, and with it the order in which tasks are resumed at the loop's end
//         would differ.
// Owner:  the UI thread.

struct InOrder<Element> {
    private var entries: [ObjectIdentifier: (number: UInt64, element: Element)] = [:]
    private var next: UInt64 = 0

    var isEmpty: Bool { entries.isEmpty }

    /// The elements, in the order in which they were added. O(n log n).
    var values: [Element] { entries.values.sorted { $0.number < $1.number }.map(\.element) }

    subscript(_ identity: ObjectIdentifier) -> Element? {
        get { entries[identity]?.element }
        set {
            entries[identity] = newValue.map { (next, $0) }
            next += 1
        }
    }

    mutating func removeAll() { entries = [:] }
}
