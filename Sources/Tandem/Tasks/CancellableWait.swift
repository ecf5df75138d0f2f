// SPDX-License-Identifier: Apache-2.0
// CancellableWait: how a task is suspended in a wait of the loop, with a registration for its cancellation.
// Facts:  the standard library's `withTaskCancellationHandler` is an async function that calls another one. Each such
//         function has a frame of its own on the task's stack, and asks the runtime twice on which executor the task
//         has to run. If the task prefers an executor, as the task of a run does, each question takes the lock of the
//         task's state: some 300 instructions. These calls were half of what a wait for a frame cost (9,200
//         instructions).
// Idea:   `suspend` calls the two functions of the runtime that `withTaskCancellationHandler` consists of, and is
//         inlined into the function that waits. No async function is called but the one that suspends.
// Owner:  the task that waits; `wasCancelled` is called on any thread.
// Breaks: the runtime keeps the registration on the task's own stack, which is freed in the reverse order. Between the
//         two calls nothing may be allocated there that lasts longer: `suspend` has no variable whose size is unknown
//         at compile time, and suspends without a value.

import TandemCLinux

/// The base class of the objects by which a task waits. It is called when the task is cancelled.
package class CancellableWait: @unchecked Sendable {
    // Safe to send: the fields of the subclasses are used on the UI thread only; `wasCancelled` sends its work there.

    /// Any thread: the task that waits was cancelled. It is called at most once for each wait, and not after its end.
    /// If the task was cancelled before, it is called before the task is suspended.
    func wasCancelled() {}

    /// Suspends the calling task until the continuation that `begin` gets is resumed. The caller makes sure that it is
    /// resumed once.
    @inline(__always)
    final func suspend(_ begin: (UnsafeContinuation<Void, Never>) -> Void) async {
        // Safe: this object lives until the registration has ended.
        let registration = tandem_cancellation_begin(Unmanaged.passUnretained(self).toOpaque())
        await withUnsafeContinuation(isolation: #isolation, begin)
        tandem_cancellation_end(registration)
        withExtendedLifetime(self) {}
    }
}

/// Called by the runtime, through `TandemCLinux`.
@_cdecl("tandem_wait_was_cancelled")
func waitWasCancelled(_ wait: UnsafeMutableRawPointer) {
    // Safe: the registration ends before the object is released, and the runtime calls no handler after that.
    Unmanaged<CancellableWait>.fromOpaque(wait)._withUnsafeGuaranteedRef { $0.wasCancelled() }
}
