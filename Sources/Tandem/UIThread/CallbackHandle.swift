// SPDX-License-Identifier: Apache-2.0
// CallbackHandle: one scheduled callback or sleep, and the means to call it off.
// Owner:  the UI thread.

/// A callback that was scheduled. Keep it to cancel; let it go to forget.
public final class CallbackHandle {
    /// What is to happen. `none` once it has, or was cancelled.
    enum Action {
        case none
        case call(() throws -> Void)
        case resume(Waiter)
    }

    var action: Action
    /// The place in the timer heap; -1 outside of it.
    var heapIndex = -1
    /// When the callback became, or becomes, ready: the base of the latency figures.
    let readyAt: Nanoseconds
    let isTimer: Bool
    let site: CallSite
    // Safe: followed only while the handle is in the heap, and a loop empties its heap before it goes.
    private unowned(unsafe) let loop: GuestLoop
    private let thread: UIThread

    init(_ action: Action, readyAt: Nanoseconds, isTimer: Bool, site: CallSite, loop: GuestLoop) {
        self.action = action
        self.readyAt = readyAt
        self.isTimer = isTimer
        self.site = site
        thread = loop.thread
        self.loop = loop
    }

    /// True once the callback can no longer run: it has run, or was cancelled.
    public var isDone: Bool {
        if case .none = action { true } else { false }
    }

    /// Calls it off. UI thread. Harmless when it has run, was cancelled before, or its loop is gone.
    /// O(1) for `callSoon`, O(log n) for a timer.
    public func cancel() {
        thread.check("CallbackHandle.cancel")
        guard !isDone else { return }
        let released = take()
        if heapIndex >= 0 { loop.removeCancelledTimer(self) }
        // What the callback captured goes here, when nothing of the loop is being changed.
        withExtendedLifetime(released) {}
    }

    /// Takes the action out, so that it happens once.
    func take() -> Action {
        let taken = action
        action = .none
        return taken
    }
}
