// SPDX-License-Identifier: Apache-2.0
// SignalReceiver: the owner of what the process's signal handler writes into.
// Idea:   it is ended before its descriptor is closed, so that no handler ever writes to a number that is somebody else's by then. See
//         `Signals.c`.
// Owner:  any thread.

import Glibc
import SystemPackage
import TandemCLinux

package final class SignalReceiver: Sendable {
    // Safe: made for several threads; freed in deinit, after its end.
    private nonisolated(unsafe) let receiver: OpaquePointer

    /// - Throws: `.startFailed` without a descriptor.
    package init() throws(GuestError) {
        guard let receiver = tandem_signals_open() else {
            throw GuestError(
                .startFailed, errno: Errno(rawValue: errno),
                "eventfd gave no descriptor for signals; close some, or raise the limit (ulimit -n)")
        }
        self.receiver = receiver
    }

    deinit {
        end()
        tandem_signals_free(receiver)
    }

    /// Can be read once a signal has arrived. Whoever made the receiver closes it, after ``end()``.
    package var descriptor: Int32 { tandem_signals_descriptor(receiver) }

    /// Gets a signal for itself, or, with `takes` false, beside the handler that stood there before. `false`: it cannot be had.
    package func receive(_ number: Int32, takes: Bool) -> Bool { tandem_signals_receive(receiver, number, takes) }

    /// The number of one that has arrived, -1 with EAGAIN if none has; and whether a former handler was called as well.
    package func take() -> (number: Int32, wasHandled: Bool) {
        var wasHandled = false
        let number = tandem_signals_take(receiver, &wasHandled)
        return (number, wasHandled)
    }

    /// Gets nothing more. Former handlers are back. Harmless when repeated.
    package func end() { tandem_signals_end(receiver) }
}
