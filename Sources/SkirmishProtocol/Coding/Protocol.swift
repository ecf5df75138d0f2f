// SPDX-License-Identifier: Apache-2.0
// Protocol: the numbers that host and players agree on.

package enum GameProtocol {
    /// Goes up with every change of what is sent. Host and players must have the same.
    package static let version: UInt16 = 1
    /// The first bytes of a connection.
    package static let greeting = Array("SKIRMISH".utf8)
    /// The first bytes of every datagram.
    package static let datagramMark: UInt32 = 0x534B
    /// Where hosts take connections, and where they answer to searches, unless told otherwise.
    package static let port: UInt16 = 47_800
    package static let discoveryPort: UInt16 = 47_801
    /// No datagram is longer.
    package static let mostDatagramBytes = 1200
    /// No message over TCP is longer.
    package static let mostMessageBytes = 1024
    package static let seats = 8
    /// A snapshot for every so many steps: thirty a second.
    package static let stepsPerSnapshot = 2
    package static let mostNameLength = 16
    package static let mostChatLength = 120
    package static let mostCodeLength = 32
    /// A client that sends no datagram for so long is lost; so is a host.
    package static let silence: Duration = .seconds(5)

    /// A name that can be shown and sent: printable ASCII, 1 to 16 characters, blanks only inside.
    package static func isName(_ name: String) -> Bool {
        (1...mostNameLength).contains(name.utf8.count) && isText(name) && name.first != " " && name.last != " "
    }

    /// Nothing but printable ASCII.
    package static func isText(_ text: String) -> Bool { text.utf8.allSatisfy { (32..<127).contains($0) } }
}
