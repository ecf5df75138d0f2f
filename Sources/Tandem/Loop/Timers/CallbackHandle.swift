// SPDX-License-Identifier: Apache-2.0
// CallbackHandle: one scheduled callback or sleep, and the means to call it off.
// Idea:   numbers, no reference: keeping, copying and dropping one costs nothing. The thread knows its loop's table.
// Owner:  the UI thread.

/// A callback that was scheduled. Keep it to cancel; let it go to forget.
public struct CallbackHandle {
    /// The number of the loop's table; 0: done from the start.
    private let table: UInt32
    let slot: UInt32
    let sequence: UInt64

    init(table: UInt32, slot: UInt32, sequence: UInt64) {
        self.table = table
        self.slot = slot
        self.sequence = sequence
    }

    /// What a closed loop schedules: nothing.
    static var done: CallbackHandle { CallbackHandle(table: 0, slot: 0, sequence: 0) }

    /// True once the callback can no longer run: it has run, or was cancelled. UI thread.
    public var isDone: Bool {
        CallbackTable.withLoop(table, "CallbackHandle.isDone") { $0.callbacks.isDone(self) } ?? true
    }

    /// Calls it off. UI thread. Harmless when it has run, was cancelled before, or its loop is gone.
    /// O(1), for a timer in the mean.
    public func cancel() {
        CallbackTable.withLoop(table, "CallbackHandle.cancel") { $0.cancel(self) }
    }
}

// It means something on the UI thread only.
@available(*, unavailable)
extension CallbackHandle: Sendable {}
