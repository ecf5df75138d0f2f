// SPDX-License-Identifier: Apache-2.0
// OpenLoops: which threads have an open loop. A thread has one at most.
// Idea:   an array, since few threads have a loop. A dictionary made the start of the first loop twice as long: Swift looks
//         through all the conformances of a program before it makes the first dictionary of a kind.
// Owner:  any thread, under the lock.

enum OpenLoops {
    private struct Entry {
        let thread: UIThread
        let site: CallSite
        /// The number of the loop's `CallbackTable`.
        let number: UInt32
    }

    private static let lock = Lock()
    // Safe: touched with `lock` held.
    private nonisolated(unsafe) static var entries = OwnedArray<Entry>()

    /// O(n) in open loops, as all of these.
    static func enter(_ thread: UIThread, _ site: CallSite, _ number: UInt32) throws(GuestError) {
        lock.lock()
        defer { lock.unlock() }
        // A child of `fork` has the entries of its parent, whose loops stayed there.
        if let index = entries.firstIndex(where: { $0.thread.key == thread.key }) {
            let other = entries[index]
            guard other.thread.isForkedChild else {
                throw GuestError(
                    .loopAlreadyOnThread,
                    "this thread has an open loop, made at \(other.site); close it first, or share it")
            }
            _ = entries.remove(at: index)
        }
        entries.append(Entry(thread: thread, site: site, number: number))
    }

    static func leave(_ thread: UIThread, _ number: UInt32) {
        lock.lock()
        defer { lock.unlock() }
        let index = entries.firstIndex { $0.thread.key == thread.key && $0.number == number }
        if let index { _ = entries.remove(at: index) }
    }

    /// The thread of the open loop with this number.
    static func thread(of number: UInt32) -> UIThread? {
        lock.lock()
        defer { lock.unlock() }
        return entries.firstIndex { $0.number == number }.map { entries[$0].thread }
    }
}
