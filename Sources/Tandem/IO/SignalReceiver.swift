// SPDX-License-Identifier: Apache-2.0
// SignalReceiver: the owner of what the process's signal handler writes into.
// Idea:   it is ended before its descriptor is closed, so that the signal handler never writes to a number that belongs
//         to another file by then. See `Signals.c`.
// Owner:  any thread.

import Glibc
import SystemPackage
import TandemCLinux

package final class SignalReceiver: Sendable {
    // Safe: the C object may be used by several threads; it is freed in deinit, after its end.
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

    /// A descriptor that is readable once a signal has arrived. The code that made the receiver closes it, after
    /// ``end()``.
    package var descriptor: Int32 { tandem_signals_descriptor(receiver) }

    /// Takes a signal for itself, or, if `takes` is false, receives it in addition to the handler that was there
    /// before. `false`: that is not possible.
    package func receive(_ number: Int32, takes: Bool) -> Bool { tandem_signals_receive(receiver, number, takes) }

    /// The number of a signal that has arrived, -1 with EAGAIN if there is none; and whether a former handler was
    /// called as well.
    package func take() -> (number: Int32, wasHandled: Bool) {
        var wasHandled = false
        let number = tandem_signals_take(receiver, &wasHandled)
        return (number, wasHandled)
    }

    /// Receives nothing more, and restores the former handlers. Calling it again does nothing.
    package func end() { tandem_signals_end(receiver) }
}
