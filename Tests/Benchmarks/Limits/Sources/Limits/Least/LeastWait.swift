// SPDX-License-Identifier: Apache-2.0
// LeastWait: one task that waits, with what Tandem promises of a wait: it ends when the task is cancelled, and throws then.
// Owner:  the main thread.

import CLimits

final class LeastWait: @unchecked Sendable {
    // Safe: all of it happens on the main thread; these programs cancel nothing from another one.
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @exclusivity(unchecked) private(set) var isCancelled = false

    @inline(__always) func begin(_ continuation: UnsafeContinuation<Void, Never>) {
        if isCancelled { continuation.resume() } else { self.continuation = continuation }
    }

    /// Does nothing if nobody waits.
    @inline(__always) func resume() { continuation.take()?.resume() }

    func cancel() {
        isCancelled = true
        resume()
    }

    /// Suspends the task until it is resumed. To be inlined into the one async function that waits.
    @inline(__always) func suspend(_ begun: () -> Void) async throws {
        try Task.checkCancellation()
        // Safe: this object lives until the registration has ended.
        let registration = limits_cancellation_begin(Unmanaged.passUnretained(self).toOpaque())
        await withUnsafeContinuation(isolation: #isolation) { continuation in
            begin(continuation)
            begun()
        }
        limits_cancellation_end(registration)
        if isCancelled { throw CancellationError() }
    }
}

/// Called by the runtime, through CLimits.
@_cdecl("limits_wait_was_cancelled")
func waitWasCancelled(_ wait: UnsafeMutableRawPointer) {
    // Safe: the registration ends before the object goes.
    Unmanaged<LeastWait>.fromOpaque(wait)._withUnsafeGuaranteedRef { $0.cancel() }
}
