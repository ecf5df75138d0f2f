// SPDX-License-Identifier: Apache-2.0
// RefusedWatches: what the loop does about watches that the kernel has dropped or refuses to change: it tells their
//                 owners, or tries again.
// Owner:  the UI thread.

import Logging
import SystemPackage

extension GuestLoop {
    /// The kernel has refused to change an entry, for example for lack of memory. It is tried again soon, and then less
    /// often.
    func watchWasRefused(_ fd: Int32, _ generation: UInt32, _ failure: Errno, attempt: Int) {
        if attempt == 1 {
            configuration.logger.warning(
                "the kernel would not change the watch of descriptor \(fd): \(failure); trying again in growing pauses")
        }
        let tryAgain = { [registrations = io.registrations] in registrations.tryAgain(fd, generation) }
        let pause: Nanoseconds = 1_000_000 << Nanoseconds(attempt - 1)
        _ = arm(.call(tryAgain), time.isVirtual ? time.now : time.now.addingClamped(pause), CallSite())
    }

    /// Watches have ended without being cancelled: their descriptor was closed (`EBADF`), or the kernel refused to keep
    /// them.
    func watchesEnded(_ fd: Int32, _ ended: [RegistrationTable.Ended], _ cause: Errno) {
        for (handle, action) in ended {
            if cause == .badFileDescriptor {
                configuration.logger.warning(
                    "descriptor \(fd) was closed with a watch on it, made at \(handle.site); cancel the watch first")
            }
            switch action {
            case .none: break
            case .resume(let waiter): waiter.resume(throwing: Self.error(fd, cause))
            // There is no task to tell, so it is logged.
            case .call: if cause != .badFileDescriptor { report(Self.error(fd, cause), .callback, handle.site) }
            }
        }
    }

    private static func error(_ fd: Int32, _ cause: Errno) -> GuestError {
        cause == .badFileDescriptor
            ? GuestError(.badDescriptor, errno: cause, "descriptor \(fd) was closed while a task waited for it")
            : GuestError(
                .startFailed, errno: cause,
                "the kernel would not go on watching descriptor \(fd), though it was asked several times; watch it anew when there is memory"
            )
    }

    /// The entry of a closed descriptor was removed, or (with a failure) could not be removed yet.
    func orphanWasRemoved(_ fd: Int32, _ failure: Errno?) {
        let what =
            "descriptor \(fd) was closed before its watch was cancelled, and a duplicate of it lives on (dup, or a child process)"
        if let failure {
            configuration.logger.error(
                "\(what), so that it is reported for ever; a new epoll set, which would end that, was refused: \(failure). It is tried again."
            )
        } else {
            configuration.logger.warning(
                "\(what); a new epoll set was made to be rid of its reports. Cancel a watch before closing its descriptor."
            )
        }
    }
}

extension GuestError {
    /// The kernel has refused to add an entry for the descriptor `fd`.
    static func refused(_ fd: Int32, _ failure: Errno) -> GuestError {
        switch failure {
        case .badFileDescriptor:
            GuestError(.badDescriptor, errno: failure, "descriptor \(fd) is not open; register it before closing it")
        case .notPermitted:
            GuestError(
                .badDescriptor, errno: failure,
                "descriptor \(fd) cannot be waited for; a regular file is always ready, so read it directly, on a worker if it is large"
            )
        case .noSpace, .noMemory:
            GuestError(
                .startFailed, errno: failure, "the kernel has no room for descriptor \(fd) (fs.epoll.max_user_watches)")
        default:
            GuestError(.badDescriptor, errno: failure, "the kernel refused to watch descriptor \(fd)")
        }
    }
}
