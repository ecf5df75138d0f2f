// SPDX-License-Identifier: Apache-2.0
// GuestError: what was wrong, the kernel's error, and what to do about it.

public import SystemPackage

/// An error of the loop: a code for programs, the kernel's error number if a system call failed, and a sentence for
/// people.
public struct GuestError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of errors; more may come, so a `switch` needs a `default`.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name, as in the static properties.
        public let description: String

        /// The loop has closed, or is closing and takes nothing new.
        public static let closed = Code(description: "closed")
        /// A loop is open on this thread already.
        public static let loopAlreadyOnThread = Code(description: "loopAlreadyOnThread")
        /// The call belongs to another thread.
        public static let wrongThread = Code(description: "wrongThread")
        /// The kernel refused a descriptor, a thread or memory that the loop needs to start.
        public static let startFailed = Code(description: "startFailed")
        /// The descriptor is negative, closed, or of a kind that cannot be waited for (a regular file).
        public static let badDescriptor = Code(description: "badDescriptor")
        /// The descriptor is watched in this direction already.
        public static let alreadyRegistered = Code(description: "alreadyRegistered")
        /// The backend thread can no longer wait; the loop cannot wake its host any more.
        public static let backendFailed = Code(description: "backendFailed")
        /// The loop closed, or the scene ended, before the run did, and the run did not end within the grace period.
        public static let abandoned = Code(description: "abandoned")
        /// The scene is ending or has ended, and nothing starts in it any more.
        public static let sceneEnded = Code(description: "sceneEnded")
        /// The process is a forked child; the loop and its backend thread stayed in the parent.
        public static let forked = Code(description: "forked")
        /// The host could not be set up (SDL refused an event type, say).
        public static let hostFailed = Code(description: "hostFailed")
        /// The main actor could not be put on the loop.
        public static let adoptionFailed = Code(description: "adoptionFailed")
        /// A call on a socket failed; the number says how.
        public static let socketFailed = Code(description: "socketFailed")
        /// The socket was closed by this program.
        public static let socketClosed = Code(description: "socketClosed")
        /// The text is no address, the name has none, or the address does not suit the socket.
        public static let addressFailed = Code(description: "addressFailed")
        /// The peer has sent, or taken, nothing for longer than it was given; see ``SocketBacked/silenceLimit`` and
        /// ``Outbox``.
        public static let peerUnresponsive = Code(description: "peerUnresponsive")
        /// What a peer sent is longer than this program was ready to take.
        public static let messageTooLong = Code(description: "messageTooLong")
    }

    /// What kind of error this is.
    public let code: Code
    /// The kernel's error, if a system call failed.
    public let errno: Errno?
    /// What was wrong, what was expected, what to do.
    public let context: String

    /// Makes an error; hosts use this for theirs.
    public init(_ code: Code, errno: Errno? = nil, _ context: String) {
        self.code = code
        self.errno = errno
        self.context = context
    }

    /// The code, the sentence, and the kernel's error in words.
    public var description: String {
        guard let errno else { return "\(code): \(context)" }
        return "\(code): \(context) (\(errno), errno \(errno.rawValue))"
    }

    static let closed = GuestError(.closed, "the loop has closed; make a new one or stop scheduling earlier")
}
