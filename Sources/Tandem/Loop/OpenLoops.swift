// SPDX-License-Identifier: Apache-2.0
// OpenLoops: which threads have an open loop. A thread has one at most.
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
    private nonisolated(unsafe) static var entries: [UInt: Entry] = [:]

    static func enter(_ thread: UIThread, _ site: CallSite, _ number: UInt32) throws(GuestError) {
        lock.lock()
        defer { lock.unlock() }
        // A child of `fork` has the entries of its parent, whose loops stayed there.
        if let other = entries[thread.key], !other.thread.isForkedChild {
            throw GuestError(
                .loopAlreadyOnThread, "this thread has an open loop, made at \(other.site); close it first, or share it"
            )
        }
        entries[thread.key] = Entry(thread: thread, site: site, number: number)
    }

    static func leave(_ thread: UIThread, _ number: UInt32) {
        lock.lock()
        defer { lock.unlock() }
        if entries[thread.key]?.number == number { entries[thread.key] = nil }
    }

    /// The thread of the open loop with this number. O(n) in open loops.
    static func thread(of number: UInt32) -> UIThread? {
        lock.lock()
        defer { lock.unlock() }
        return entries.values.first { $0.number == number }?.thread
    }
}
