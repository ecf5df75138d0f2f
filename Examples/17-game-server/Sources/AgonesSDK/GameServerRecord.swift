// SPDX-License-Identifier: Apache-2.0
// GameServerRecord: what Agones keeps about one game server, as far as this server reads it.
// Idea:   every part may be missing. 64-bit numbers come as text, as JSON of protocol buffers has them.

/// A game server's record.
public struct GameServerRecord: Decodable, Sendable, Hashable {
    /// Its name and what was written upon it.
    public struct Metadata: Decodable, Sendable, Hashable {
        /// The name in Kubernetes.
        public let name: String?
        /// What an allocation wrote upon it, the match's code among it.
        public let annotations: [String: String]?
    }

    /// How it stands.
    public struct Status: Decodable, Sendable, Hashable {
        /// `Ready`, `Allocated`, `Shutdown` and others.
        public let state: String?
        /// By name.
        public let counters: [String: Counter]?
        /// Where the world outside reaches it.
        public let ports: [Port]?
    }

    /// A port of the machine that leads to the game server.
    public struct Port: Decodable, Sendable, Hashable {
        /// As the fleet's template names it; one for both protocols has `-tcp` and `-udp` after it.
        public let name: String?
        /// See ``Port``.
        public let port: UInt16?
    }

    /// A number of the record, and its limit.
    public struct Counter: Decodable, Sendable, Hashable {
        /// How many there are, and how many there may be.
        public let count, capacity: Int

        private enum Keys: String, CodingKey { case count, capacity }

        /// - Throws: `DecodingError`
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Keys.self)
            func number(_ key: Keys) throws -> Int {
                // Zero is left out.
                guard values.contains(key) else { return 0 }
                if let number = try? values.decode(Int.self, forKey: key) { return number }
                guard let number = Int(try values.decode(String.self, forKey: key)) else {
                    throw DecodingError.dataCorruptedError(
                        forKey: key, in: values, debugDescription: "expected a whole number, or one in quotation marks")
                }
                return number
            }
            (count, capacity) = (try number(.count), try number(.capacity))
        }
    }

    private enum CodingKeys: String, CodingKey {
        case metadata = "object_meta"
        case status
    }

    /// See ``Metadata``.
    public let metadata: Metadata?
    /// See ``Status``.
    public let status: Status?
}
