// SPDX-License-Identifier: Apache-2.0
// GuestHandle: what every handle of a loop can do.
// Owner:  the UI thread, but for those of runs.

/// What was started on a loop, and can be called off: a callback, a watch on a descriptor, a run.
///
/// ```swift
/// var handles: [any GuestHandle] = [loop.callLater(.seconds(1)) { … }, try loop.whenReadable(fd) { … }]
/// for handle in handles { handle.cancel() }
/// ```
public protocol GuestHandle {
    /// True once nothing of it runs any more: it has run, has ended, or was called off. UI thread; of a ``GuestRun`` any thread.
    var isDone: Bool { get }

    /// Calls it off. UI thread; of a ``GuestRun`` any thread. Harmless when repeated or late.
    func cancel()
}

extension CallbackHandle: GuestHandle {}
extension IOHandle: GuestHandle {}
extension GuestRun: GuestHandle {}
