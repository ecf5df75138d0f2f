// SPDX-License-Identifier: Apache-2.0
// PeerLimits: how long a read waits for a silent peer.
// Idea:   a peer whose cable was pulled sends nothing, not even an end, and a read without a limit waits for it for
//         ever. The limit belongs to the socket, so that it applies to everything that reads: `read`, `lines`,
//         `chunks`, `messages`, datagrams. It costs a timer for each wait, and nothing if a read need not wait.
// Owner:  any thread sets the limit. The timers run on the UI thread.

import Synchronization

/// The time limit of a wait for the peer, and the error that is thrown when it passes.
struct PeerLimit: Sendable {
    let duration: Duration
    let complaint: String
}

extension SocketBacked {
    /// How long a read waits for the peer's next bytes. `nil`, the value at first, means for ever. Each wait begins to
    /// count anew, so that a peer that sends something now and then is not silent. Any thread; it applies to reads that
    /// begin afterwards. Traps on a limit that is not positive.
    ///
    /// When the limit passes, the read throws `.peerUnresponsive`. No bytes are lost: those that have come stay in the
    /// stream, which can be read further.
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
                require(newValue > .zero, "silenceLimit was given \(newValue); expected more than zero, or nil")
            }
            socket.silence.store(newValue?.nanosecondsRoundedUp ?? 0, ordering: .relaxed)
        }
    }
}

extension GuestSocket {
    /// The limit for the wait of a read.
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
