// SPDX-License-Identifier: Apache-2.0
// GuestHandle: what every handle of a loop can do.
// Owner:  the UI thread, but for those of runs.

/// What was started on a loop and can be cancelled: a callback, a watch on a descriptor, a handler of frames,
/// a run.
///
/// ```swift
/// var handles: [any GuestHandle] = [loop.callLater(.seconds(1)) { … }, try loop.whenReadable(fd) { … }]
/// for handle in handles { handle.cancel() }
/// ```
public protocol GuestHandle {
    /// True once nothing of it runs any more: it has run, has ended, or was cancelled. UI thread; of a ``GuestRun`` any
    /// thread.
    var isDone: Bool { get }

    /// Cancels it. UI thread; of a ``GuestRun`` any thread. Does nothing if it is called again, or too late.
    func cancel()
}

extension CallbackHandle: GuestHandle {}
extension IOHandle: GuestHandle {}
extension FrameHandle: GuestHandle {}
extension GuestRun: GuestHandle {}
