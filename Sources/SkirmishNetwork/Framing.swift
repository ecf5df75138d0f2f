// SPDX-License-Identifier: Apache-2.0
// Framing: this game's messages on a stream: two bytes of length before each.

internal import SkirmishProtocol
internal import Tandem

extension TCPStream {
    /// The next message's content; `nil` at the stream's end.
    ///
    /// - Throws: `Malformed` for one that is longer than any message of the protocol; what the stream's reads throw.
    func readGameMessage() async throws -> [UInt8]? {
        do {
            return try await readMessage(prefix: .twoBytes, maximumLength: GameProtocol.mostMessageBytes)
        } catch let error as GuestError where error.code == .messageTooLong {
            throw Malformed("a message is longer than \(GameProtocol.mostMessageBytes) bytes")
        }
    }
}

extension Outbox {
    @discardableResult
    func send(_ message: ClientMessage) -> Bool { send(message: message.bytes, prefix: .twoBytes) }

    @discardableResult
    func send(_ message: HostMessage) -> Bool { send(message: message.bytes, prefix: .twoBytes) }
}
