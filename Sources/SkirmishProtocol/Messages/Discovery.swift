// SPDX-License-Identifier: Apache-2.0
// Discovery: "who hosts a game here?", and the answer, which is never longer than the question.

package enum Discovery {
    /// Every question has this length; an answer has at most this.
    package static let questionBytes = 64

    package struct Answer: Sendable, Hashable {
        package var nonce: UInt32
        /// Of the host; a player of another version can say so.
        package var version: UInt16
        /// Where it takes connections.
        package var port: UInt16
        package var people: Int
        package var needsCode: Bool
        package var name: String

        package init(nonce: UInt32, version: UInt16, port: UInt16, people: Int, needsCode: Bool, name: String) {
            (self.nonce, self.version, self.port) = (nonce, version, port)
            (self.people, self.needsCode, self.name) = (people, needsCode, name)
        }

        package var bytes: [UInt8] {
            var writer = BitWriter()
            Discovery.begin(7, &writer)
            writer.put(nonce, 32)
            writer.put(UInt32(version), 16)
            writer.put(UInt32(port), 16)
            writer.put(people, 4)
            writer.put(needsCode)
            writer.put(String(name.prefix(GameProtocol.mostNameLength)))
            return writer.finished()
        }

        package init(_ bytes: [UInt8]) throws(Malformed) {
            var reader = BitReader(bytes)
            try Discovery.read(7, &reader)
            nonce = try reader.take(32)
            version = UInt16(try reader.take(16))
            port = UInt16(try reader.int(16, in: 1...65_535, "the port"))
            people = try reader.int(4, in: 0...GameProtocol.seats, "the number of people")
            needsCode = try reader.flag()
            name = try reader.text(limit: GameProtocol.mostNameLength, "the game's name")
            try reader.finish()
        }
    }

    package static func question(nonce: UInt32) -> [UInt8] {
        var writer = BitWriter()
        begin(6, &writer)
        writer.put(nonce, 32)
        return writer.finished(atLeast: questionBytes)
    }

    package static func nonce(ofQuestion bytes: [UInt8]) throws(Malformed) -> UInt32 {
        guard bytes.count == questionBytes else {
            throw Malformed("a question of \(bytes.count) bytes; expected \(questionBytes)")
        }
        var reader = BitReader(bytes)
        try read(6, &reader)
        return try reader.take(32)
    }

    // Its beginning has no version, so that hosts and players of different ones see each other.
    private static func begin(_ kind: UInt32, _ writer: inout BitWriter) {
        writer.put(GameProtocol.datagramMark, 16)
        writer.put(kind, 8)
    }

    private static func read(_ kind: Int, _ reader: inout BitReader) throws(Malformed) {
        guard try reader.take(16) == GameProtocol.datagramMark, try reader.int(8) == kind else {
            throw Malformed("it is no search for a game of Skirmish")
        }
    }
}
