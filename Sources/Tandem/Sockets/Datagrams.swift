// SPDX-License-Identifier: Apache-2.0
// Datagrams: datagrams as a sequence.
// Owner:  the consumer.

extension UDPSocket {
    /// The datagrams that arrive, each received when the consumer asks for it; ends when the socket is closed.
    ///
    /// ```swift
    /// for try await datagram in udp.datagrams(upTo: 1500) {
    ///     if let sender = datagram.sender { answer(datagram.bytes, to: sender) }
    /// }
    /// ```
    ///
    /// What arrives while the consumer does something else waits in the kernel's buffer, and is lost if that is full, as datagrams are. Many at once are
    /// cheaper by ``receive(_:fileID:line:)``.
    ///
    /// - Parameters:
    ///   - limit: Longer datagrams are cut, and say so.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    public func datagrams(
        upTo limit: Int = 65_535, fileID: StaticString = #fileID, line: UInt = #line
    ) -> Datagrams {
        precondition(limit >= 0, "datagrams(upTo:) was given \(limit); expected 0 or more")
        return Datagrams(udp: self, limit: limit, site: CallSite(fileID: fileID, line: line))
    }

    /// As ``datagrams(upTo:fileID:line:)``, whole, and without a place in reports: a property cannot ask who reads it.
    public var datagrams: Datagrams { Datagrams(udp: self, limit: 65_535, site: .unknown) }
}

/// The datagrams of a socket. Throws what its `receive` throws, but for the socket's own close, which ends it; a refusal of the peer's, on a connected
/// socket, is one of these, after which a new iterator goes on.
public struct Datagrams: AsyncSequence, Sendable {
    let udp: UDPSocket
    let limit: Int
    let site: CallSite

    /// Receives from call to call.
    public struct Iterator: AsyncIteratorProtocol {
        let datagrams: Datagrams

        /// The next datagram; `nil` once the socket is closed.
        public mutating func next(isolation: isolated (any Actor)?) async throws -> UDPSocket.Datagram? {
            do {
                return try await datagrams.udp.receive(upTo: datagrams.limit, datagrams.site)
            } catch let error as GuestError where error.code == .socketClosed {
                return nil
            }
        }
    }

    /// Begins with what has not been received.
    public func makeAsyncIterator() -> Iterator { Iterator(datagrams: self) }
}
