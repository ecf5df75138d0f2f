// SPDX-License-Identifier: Apache-2.0
// CallbackHandle: one scheduled callback or sleep, and the means to call it off.
// Owner:  the UI thread.

/// A callback that was scheduled. Keep it to cancel; let it go to forget.
public struct CallbackHandle {
    /// `nil`: done from the start.
    private let table: CallbackTable?
    let slot: UInt32
    let sequence: UInt64

    init(table: CallbackTable?, slot: UInt32, sequence: UInt64) {
        self.table = table
        self.slot = slot
        self.sequence = sequence
    }

    /// What a closed loop schedules: nothing.
    static var done: CallbackHandle { CallbackHandle(table: nil, slot: 0, sequence: 0) }

    /// True once the callback can no longer run: it has run, or was cancelled.
    public var isDone: Bool { table?.isDone(self) ?? true }

    /// Calls it off. UI thread. Harmless when it has run, was cancelled before, or its loop is gone.
    /// O(1), for a timer in the mean.
    public func cancel() { table?.cancel(self) }
}
