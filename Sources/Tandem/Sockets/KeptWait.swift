// SPDX-License-Identifier: Apache-2.0
// KeptWait: the two objects of a reader's wait, which its next wait uses again.
// Idea:   a reader waits again and again, and to make and free an object takes 390 instructions. An object to which
//         nobody else refers any more is as good as new: no timer, queue or cancellation can still reach it.
// Owner:  the socket; UI thread, and the socket's `deinit`.

struct KeptWait: ~Copyable {
    private var waiter: Waiter?
    private var watch: IOHandle?

    /// A waiter of which nothing is known to anybody else.
    mutating func waiter(_ loop: GuestLoop, _ isolation: (any Actor)?) -> Waiter {
        if isKnownUniquelyReferenced(&waiter), let waiter, waiter.isOver {
            waiter.beginAnew(isolation)
            return waiter
        }
        let new = Waiter(loop: loop, isolation: isolation)
        waiter = new
        return new
    }

    /// A watch that has ended and that nobody refers to, if there is one.
    mutating func endedWatch() -> IOHandle? {
        guard isKnownUniquelyReferenced(&watch), let watch, watch.isDone else { return nil }
        return watch
    }

    mutating func keep(_ new: IOHandle) { if watch !== new { watch = new } }
}
