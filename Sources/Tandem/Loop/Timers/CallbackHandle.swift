// SPDX-License-Identifier: Apache-2.0
// CallbackHandle: the handle of one scheduled callback or sleep, by which it can be cancelled.
// Idea:   it contains numbers and no reference, so that storing, copying and dropping one costs nothing. The thread
//         knows the table of its loop.
// Owner:  the UI thread.

/// A callback that was scheduled. Keep the handle if you want to cancel it; otherwise drop it.
public struct CallbackHandle {
    /// The number of the loop's table. 0: done from the start.
    private let table: UInt32
    let slot: UInt32
    let sequence: UInt64

    init(table: UInt32, slot: UInt32, sequence: UInt64) {
        self.table = table
        self.slot = slot
        self.sequence = sequence
    }

    /// The handle that a closed loop returns: nothing was scheduled.
    static var done: CallbackHandle { CallbackHandle(table: 0, slot: 0, sequence: 0) }

    /// True once the callback can no longer run: it has run, or was cancelled. UI thread.
    public var isDone: Bool {
        CallbackTable.withLoop(table, "CallbackHandle.isDone") { $0.callbacks.isDone(self) } ?? true
    }

    /// Cancels the callback. UI thread. Does nothing if it has run, was cancelled before, or its loop no longer exists.
    /// O(1); for a timer on average.
    public func cancel() {
        CallbackTable.withLoop(table, "CallbackHandle.cancel") { $0.cancel(self) }
    }
}

// A handle is of use on the UI thread only.
@available(*, unavailable)
extension CallbackHandle: Sendable {}
