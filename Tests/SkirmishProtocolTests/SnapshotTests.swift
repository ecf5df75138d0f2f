// SPDX-License-Identifier: Apache-2.0
// SnapshotTests: host and player have the same, whatever is lost on the way; nothing is longer than a datagram.

import SkirmishRules
import Testing

@testable import SkirmishProtocol

/// A match of eight bots with everything that can be in it, step by step.
struct BusyMatch {
    var world = World(seed: 5, pilots: Array(repeating: .bot, count: 8))
    private var last: Snapshot?
    private let drones: Int

    /// - Parameter drones: How many there are at any time.
    init(drones: Int = 40) { self.drones = drones }

    mutating func step() {
        while world.drones.count < drones, world.spawnDrone(Drone.Kind.allCases[world.drones.count % 3]) {}
        if world.steps % 6 == 0 {
            for ship in world.ships.indices { world.setIntent(BotPilot.decide(world, ship: ship), ship: ship) }
        }
        if world.steps % 120 == 0 { world.spawnCell(at: Vector(Double(world.steps % 900), 100)) }
        _ = world.advance()
        // The beacon falls sooner or later, which ends nothing here.
        if world.isOver {
            let steps = world.steps
            world = World(seed: UInt64(steps), pilots: Array(repeating: .bot, count: 8))
            last = nil
        }
    }

    mutating func snapshot() -> Snapshot {
        let snapshot = Snapshot(world, waveLeft: 0.5, after: last)
        last = snapshot
        return snapshot
    }
}

@Suite struct SnapshotTests {
    /// Sends snapshots over a line that loses so many of a hundred, each way. Returns what was received.
    private func exchange(
        drones: Int, loss: Double, steps: Int = 3000
    ) throws -> (received: Int, whole: Int, longest: Int, mean: Int) {
        var match = BusyMatch(drones: drones)
        var (sender, receiver) = (SnapshotSender(), SnapshotReceiver())
        var chance = Generator(seed: 9)
        var (received, whole, longest, bytes, sent) = (0, 0, 0, 0, 0)
        var underWay: [(UInt32, Int)] = []
        for step in 0..<steps {
            let before = match.world.steps
            match.step()
            if match.world.steps < before { (sender, receiver, underWay) = (SnapshotSender(), SnapshotReceiver(), []) }
            guard step % 2 == 0 else { continue }
            let truth = match.snapshot()
            var writer = BitWriter()
            sender.write(truth, into: &writer)
            let datagram = writer.finished()
            longest = max(longest, datagram.count)
            bytes += datagram.count
            sent += 1
            if chance.fraction() * 100 >= loss {
                var reader = BitReader(datagram)
                if let (sequence, snapshot) = try receiver.read(&reader) {
                    received += 1
                    #expect(snapshot == sender.snapshot(sequence))
                    #expect(snapshot.stateHash == sender.snapshot(sequence)?.stateHash)
                    if snapshot == truth { whole += 1 }
                }
            }
            // Acknowledgements take ten steps, and may be lost, too.
            underWay.append((receiver.newest, step + 10))
            while let (sequence, time) = underWay.first, time <= step {
                underWay.removeFirst()
                if chance.fraction() * 100 >= loss { sender.acknowledge(sequence) }
            }
        }
        return (received, whole, longest, bytes / sent)
    }

    @Test func hostAndPlayerHaveTheSameThroughLosses() throws {
        let result = try exchange(drones: 40, loss: 20)
        #expect(result.received > 1100)
        #expect(result.whole > result.received * 9 / 10, "\(result)")
        #expect(result.longest <= 1200 && result.mean < 700, "\(result)")
    }

    @Test func noDatagramIsTooLongWhateverIsInTheArena() throws {
        let result = try exchange(drones: World.mostDrones, loss: 10)
        #expect(result.received > 1200)
        #expect(result.longest <= 1200, "\(result)")
        #expect(result.longest > 1000, "the arena was not full enough: \(result)")
    }

    @Test func whatDidNotFitComesWithTheNextOnes() throws {
        var match = BusyMatch(drones: World.mostDrones)
        for _ in 0..<200 { match.step() }
        let truth = match.snapshot()
        #expect(truth.drones.count + truth.shots.count > 140)
        var (sender, receiver) = (SnapshotSender(), SnapshotReceiver())
        var last: Snapshot?
        var datagrams = 0
        while last != truth, datagrams < 20 {
            var writer = BitWriter()
            sender.write(truth, into: &writer)
            var reader = BitReader(writer.finished())
            let (sequence, snapshot) = try #require(try receiver.read(&reader))
            sender.acknowledge(sequence)
            last = snapshot
            datagrams += 1
        }
        #expect(last == truth)
        #expect((2...6).contains(datagrams), "\(datagrams)")
    }

    @Test func anAcknowledgementOfWhatWasNeverSentIsIgnored() {
        var sender = SnapshotSender()
        var writer = BitWriter()
        sender.write(.empty, into: &writer)
        sender.acknowledge(.max)
        #expect(sender.acknowledged == 0)
        sender.acknowledge(1)
        #expect(sender.acknowledged == 1)
    }

    @Test func aChangedBitIsNoticed() throws {
        var match = BusyMatch()
        for _ in 0..<300 { match.step() }
        var sender = SnapshotSender()
        var writer = BitWriter()
        sender.write(match.snapshot(), into: &writer)
        let datagram = writer.finished()
        // From the checksum on, each bit; behind the last one there is filling.
        for bit in 72..<datagram.count * 8 - 8 {
            var changed = datagram
            changed[bit / 8] ^= 128 >> UInt8(bit % 8)
            var receiver = SnapshotReceiver()
            #expect(throws: Malformed.self) {
                var reader = BitReader(changed)
                _ = try receiver.read(&reader)
            }
        }
    }

    @Test func whatTheRulesHideIsNotInASnapshot() throws {
        // Two worlds that differ in chance and in what bots intend, and in nothing that can be seen.
        var (one, other) = (World(seed: 1, bots: 7), World(seed: 2, bots: 7))
        one.setIntent(Intent(thrust: Vector(1, 0)), ship: 3)
        other.setIntent(Intent(thrust: Vector(0, 1), fires: true), ship: 3)
        #expect(one.stateHash != other.stateHash)
        #expect(Snapshot(one, waveLeft: 0, after: nil) == Snapshot(other, waveLeft: 0, after: nil))
    }

    @Test func whatHappenedShowsInWhatChanged() {
        var match = BusyMatch(drones: 20)
        var told: [WorldEvent] = []
        var seen: [WorldEvent] = []
        var last = match.snapshot()
        for _ in 0..<1200 {
            let before = match.world.steps
            match.step()
            if match.world.steps < before { break }
            told += match.world.lastEvents
            let now = match.snapshot()
            seen += now.events(since: last)
            last = now
        }
        func count(_ events: [WorldEvent], _ matches: (WorldEvent) -> Bool) -> Int { events.count(where: matches) }
        let isGathered = { (event: WorldEvent) in if case .cellGathered = event { true } else { false } }
        let isShot = { (event: WorldEvent) in if case .shot = event { true } else { false } }
        let isLost = { (event: WorldEvent) in if case .shipLost = event { true } else { false } }
        #expect(count(seen, isShot) > 100)
        #expect(abs(count(seen, isShot) - count(told, isShot)) < 20)
        #expect(abs(count(seen, isGathered) - count(told, isGathered)) <= 3)
        #expect(count(seen, isLost) == count(told, isLost))
    }
}
