// SPDX-License-Identifier: Apache-2.0
// SnapshotStream: one player's snapshots, as the host sends them and as the player takes them.
// Idea:   each is written against the newest one that the player has acknowledged, so that a lost datagram costs nothing but itself.
// Owner:  a value of the host's for each player, and one of the player's.

/// The host's side.
package struct SnapshotSender: Sendable {
    private var sent: [(sequence: UInt32, snapshot: Snapshot)] = []
    private var last: UInt32 = 0
    /// The newest one that the player has; 0: none.
    package private(set) var acknowledged: UInt32 = 0
    /// How many are kept: two seconds of them.
    private static let kept = 60

    package init() {}

    /// Writes `snapshot` for this player, within what is left of a datagram.
    package mutating func write(_ snapshot: Snapshot, into writer: inout BitWriter) {
        last += 1
        let baseline = sent.first { $0.sequence == acknowledged }.flatMap { candidate in
            (0...Limits.stepsOfADelta).contains(snapshot.step - candidate.snapshot.step) ? candidate : nil
        }
        writer.put(last, 32)
        writer.put(baseline.map { Int(last - $0.sequence) } ?? 0, 8)
        writer.put(snapshot.step, 32)
        let checksumBits = 32
        var body = BitWriter()
        let limit = GameProtocol.mostDatagramBytes * 8 - writer.bitCount - checksumBits - 8
        let theirs = snapshot.encode(from: baseline?.snapshot ?? .empty, into: &body, limit: limit)
        writer.put(theirs.checksum, 32)
        writer.append(body)
        sent.append((last, theirs))
        // What is older than the acknowledged one is of no use any more.
        sent.removeAll { $0.sequence < acknowledged || last - $0.sequence >= Self.kept }
    }

    /// What the player says that it has; what it cannot have is ignored. 0: it has lost its thread, and wants a whole one.
    package mutating func acknowledge(_ sequence: UInt32) {
        if sequence == 0 || (sequence > acknowledged && sequence <= last) { acknowledged = sequence }
    }

    /// What the player has after a snapshot, if that is still kept.
    package func snapshot(_ sequence: UInt32) -> Snapshot? { sent.first { $0.sequence == sequence }?.snapshot }
    package var lastSent: (sequence: UInt32, snapshot: Snapshot)? { sent.last.map { ($0.sequence, $0.snapshot) } }
}

/// The player's side.
package struct SnapshotReceiver: Sendable {
    private var received: [(sequence: UInt32, snapshot: Snapshot)] = []
    private static let kept = 60
    /// What to acknowledge.
    package private(set) var newest: UInt32 = 0

    package init() {}

    /// Reads what ``SnapshotSender`` wrote. `nil`: it is older than what is there already, or its baseline is gone.
    package mutating func read(_ reader: inout BitReader) throws(Malformed) -> (sequence: UInt32, snapshot: Snapshot)? {
        let sequence = try reader.take(32)
        let distance = UInt32(try reader.take(8))
        let step = try reader.int(32, in: 0...1 << 30, "the step")
        let checksum = try reader.take(32)
        guard sequence > newest else { return nil }
        var baseline = Snapshot.empty
        if distance > 0 {
            guard let known = received.first(where: { $0.sequence == sequence &- distance }) else {
                // The host will write whole ones once it hears of this.
                newest = 0
                received = []
                return nil
            }
            baseline = known.snapshot
        }
        let snapshot = try Snapshot(&reader, step: step, from: baseline)
        guard snapshot.checksum == checksum else {
            throw Malformed("the snapshot \(sequence) does not have the checksum that it says")
        }
        newest = sequence
        received.append((sequence, snapshot))
        received.removeAll { sequence - $0.sequence >= Self.kept }
        return (sequence, snapshot)
    }
}
