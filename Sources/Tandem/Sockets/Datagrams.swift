// SPDX-License-Identifier: Apache-2.0
// Datagrams: datagrams as a sequence.
// Owner:  the consumer.

extension UDPSocket {
    /// The datagrams that arrive. Each is received when the consumer asks for it. The sequence ends when the socket is
    /// closed.
    ///
    /// ```swift
    /// for try await datagram in udp.datagrams(upTo: 1500) {
    ///     if let sender = datagram.sender { answer(datagram.bytes, to: sender) }
    /// }
    /// ```
    ///
    /// Datagrams that arrive while the consumer does something else wait in the kernel's buffer; when that is full,
    /// further ones are lost. To receive many at once, ``receive(_:fileID:line:)`` is cheaper.
    ///
    /// - Parameters:
    ///   - limit: Longer datagrams are cut, and are marked as such.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    public func datagrams(
        upTo limit: Int = 65_535, fileID: StaticString = #fileID, line: UInt = #line
    ) -> Datagrams {
        require(limit >= 0, "datagrams(upTo:) was given \(limit); expected 0 or more")
        return Datagrams(udp: self, limit: limit, site: CallSite(fileID: fileID, line: line))
    }

    /// As ``datagrams(upTo:fileID:line:)``, with uncut datagrams, and without a place in reports: a property is not
    /// told its caller's place.
    public var datagrams: Datagrams { Datagrams(udp: self, limit: 65_535, site: .unknown) }
}

/// The datagrams of a socket. It throws what `receive` throws, except that closing the socket ends it. On a connected
/// socket, a refusal by the peer is thrown, too; a new iterator goes on after it.
public struct Datagrams: AsyncSequence, Sendable {
    let udp: UDPSocket
    let limit: Int
    let site: CallSite

    /// Receives one datagram at each call.
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

    /// The iterator begins with the first datagram that has not been received.
    public func makeAsyncIterator() -> Iterator { Iterator(datagrams: self) }
}
