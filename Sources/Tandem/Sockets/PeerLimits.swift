// SPDX-License-Identifier: Apache-2.0
// PeerLimits: how long a peer may be silent.
// Idea:   a peer whose cable was pulled says nothing of it: without a limit a read waits for it for ever. The limit is the socket's, so that it holds
//         for whatever reads: `read`, `lines`, `chunks`, `messages`, datagrams. It costs a timer for each wait, and nothing where a read need not wait.
// Owner:  any thread sets it; the timers are the UI thread's.

import Synchronization

/// How long a wait for the peer may last, and what is said of a peer that lets it pass.
struct PeerLimit: Sendable {
    let duration: Duration
    let complaint: String
}

extension SocketBacked {
    /// How long a read waits for the peer's next bytes; `nil`, as at first: for ever. Counted from the beginning of each wait: a peer that sends
    /// something now and then is not silent. Any thread; for reads that begin afterwards. Traps on a limit that is not positive.
    ///
    /// A read of any kind throws `.peerUnresponsive` then. Nothing is lost by it: bytes that have come stay in the stream, which can be read on.
    ///
    /// ```swift
    /// stream.silenceLimit = .seconds(3)
    /// do {
    ///     for try await line in stream.lines() { handle(line) }
    /// } catch let error as GuestError where error.code == .peerUnresponsive {
    ///     stream.close()
    /// }
    /// ```
    public var silenceLimit: Duration? {
        get { socket.readLimit?.duration }
        nonmutating set {
            if let newValue {
                precondition(newValue > .zero, "silenceLimit was given \(newValue); expected more than zero, or nil")
            }
            socket.silence.store(newValue?.nanosecondsRoundedUp ?? 0, ordering: .relaxed)
        }
    }
}

extension Socket {
    /// What a read's wait is limited to.
    var readLimit: PeerLimit? {
        let nanoseconds = silence.load(ordering: .relaxed)
        guard nanoseconds > 0 else { return nil }
        return PeerLimit(duration: .nanoseconds(nanoseconds), complaint: "has sent nothing")
    }

    func unresponsiveError(_ limit: PeerLimit, _ site: CallSite) -> GuestError {
        let place = site.known.map { ", awaited at \($0)" } ?? ""
        return GuestError(
            .peerUnresponsive,
            "the peer\(peerAddress.map { " \($0)" } ?? "") \(limit.complaint) for \(limit.duration)\(place); end the connection, or raise the limit"
        )
    }
}
