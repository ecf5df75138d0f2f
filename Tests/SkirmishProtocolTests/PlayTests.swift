// SPDX-License-Identifier: Apache-2.0
// PlayTests: a host and its players in virtual time, over a line that is late and loses: no sockets, the same at every run.

import SkirmishRules
import Testing

@testable import SkirmishProtocol

/// What is under way from one to another.
private struct Line {
    private var underWay: [(due: Duration, order: Int, bytes: [UInt8])] = []
    private var conditioner: NetworkConditioner
    private var count = 0

    init(_ conditions: NetworkConditions, seed: UInt64) { conditioner = NetworkConditioner(conditions, seed: seed) }

    mutating func send(_ bytes: [UInt8], at time: Duration) {
        count += 1
        guard let delay = conditioner.delay() else { return }
        underWay.append((time + delay, count, bytes))
    }

    mutating func arrived(at time: Duration) -> [[UInt8]] {
        let due = underWay.filter { $0.due <= time }.sorted { ($0.due, $0.order) < ($1.due, $1.order) }
        underWay.removeAll { $0.due <= time }
        return due.map(\.bytes)
    }
}

private struct Player {
    let seat: Int
    var up: Line
    var down: Line
    // The host's part.
    var queue = InputQueue()
    var sender = SnapshotSender()
    // The player's part.
    var receiver = SnapshotReceiver()
    var prediction: Prediction
    var interpolation = Interpolation()
    var confirmed: (sequence: UInt32, hash: UInt64)?
    var refusals = 0

    init(seat: Int, _ conditions: NetworkConditions) {
        self.seat = seat
        up = Line(conditions, seed: UInt64(seat) * 2 + 1)
        down = Line(conditions, seed: UInt64(seat) * 2 + 2)
        prediction = Prediction(seat: seat)
    }

    /// A frame of the player's: what came, one step, what goes.
    mutating func frame(_ number: Int, at time: Duration, _ intent: Intent) throws {
        for bytes in down.arrived(at: time) {
            guard case .snapshot(let head, var reader) = try HostDatagram(bytes),
                let (sequence, snapshot) = try receiver.read(&reader)
            else { continue }
            confirmed = (sequence, snapshot.stateHash)
            interpolation.add(snapshot, at: time)
            prediction.confirm(snapshot.ships[seat].ship(seat), step: snapshot.step, carriedOut: head.carriedOut)
        }
        prediction.advance(intent)
        guard number % 2 == 0 else { return }
        let (first, wishes) = prediction.unconfirmed
        let inputs = ClientDatagram.Inputs(
            match: 1, acknowledged: receiver.newest, stamp: number, ping: 0, first: first, wishes: wishes)
        up.send(ClientDatagram.inputs(token: 1, inputs).bytes, at: time)
    }

    /// The host's part of a step.
    mutating func takeInputs(at time: Duration) throws -> Intent {
        for bytes in up.arrived(at: time) {
            guard case .inputs(_, let inputs) = try ClientDatagram(bytes) else { continue }
            sender.acknowledge(inputs.acknowledged)
            queue.add(inputs.wishes, first: inputs.first)
        }
        return queue.next()
    }
}

@Suite struct PlayTests {
    private func play(
        _ conditions: NetworkConditions, seconds: Int, players count: Int = 2,
        _ intent: (Int, Int) -> Intent, check: (inout World, inout [Player], Int) throws -> Void = { _, _, _ in }
    ) throws -> (world: World, players: [Player]) {
        var world = World(seed: 4, pilots: (0..<8).map { $0 < count ? .person : .nobody })
        var players = (0..<count).map { Player(seat: $0, conditions) }
        var last: Snapshot?
        for step in 0..<seconds * 60 {
            let time = Duration.seconds(step) / 60
            for index in players.indices {
                try players[index].frame(step, at: time, intent(index, step))
                world.setIntent(try players[index].takeInputs(at: time), ship: index)
            }
            _ = world.advance()
            if step % 2 == 0 {
                let snapshot = Snapshot(world, waveLeft: 0, after: last)
                last = snapshot
                for index in players.indices {
                    let head = HostDatagram.Head(
                        secret: 1, match: 1, stamp: 0, held: 0, carriedOut: players[index].queue.carriedOut,
                        waiting: players[index].queue.count)
                    players[index].down.send(
                        HostDatagram.snapshot(head, snapshot, by: &players[index].sender), at: time)
                }
            }
            try check(&world, &players, step)
        }
        return (world, players)
    }

    /// Flies in squares, each player another one, and shoots.
    private func squares(_ player: Int, _ step: Int) -> Intent {
        let side = [Vector(1, 0), Vector(0, -1), Vector(-1, 0), Vector(0, 1)][(step / 40 + player) % 4]
        return Intent(thrust: side, target: Vector(480, 100), fires: step % 120 < 60)
    }

    @Test func onAPerfectLineAPlayersShipIsWhereItWasPredicted() throws {
        let (_, players) = try play(.init(), seconds: 20, squares)
        for player in players {
            // Whole numbers instead of the rules' own: less than one can see.
            #expect(player.prediction.greatestCorrection < 20, "\(player.prediction.greatestCorrection)")
            #expect(player.prediction.corrections <= 3, "\(player.prediction.corrections)")
        }
    }

    @Test func at150MillisecondsAnd5PercentTheShipAnswersAtOnceAndIsSeldomCorrected() throws {
        let conditions = NetworkConditions(latency: .milliseconds(150), jitter: .milliseconds(20), loss: 5)
        var movedAfter: Int?
        let (world, players) = try play(
            conditions, seconds: 60,
            { player, step in step < 120 ? Intent() : squares(player, step) },
            check: { _, players, step in
                if step >= 120, movedAfter == nil, let ship = players[0].prediction.seen, ship.velocity.length > 10 {
                    movedAfter = step - 120
                }
            })
        #expect(movedAfter ?? .max <= 1)
        for player in players {
            #expect(player.prediction.corrections < 60 * 30 / 5, "\(player.prediction.corrections)")
            #expect(player.prediction.greatestCorrection < 60, "\(player.prediction.greatestCorrection)")
            #expect(player.interpolation.starved < 60, "\(player.interpolation.starved)")
            #expect(player.interpolation.delay < 14)
        }
        #expect(world.steps == 3600)
        // Once nobody asks for anything, all agree.
        let (rest, resting) = try play(conditions, seconds: 8) { player, step in
            step < 240 ? squares(player, step) : Intent()
        }
        for player in resting {
            let gap = (player.prediction.ship!.position - rest.ships[player.seat].position).length
            #expect(gap < 0.2, "\(gap)")
        }
    }

    @Test func everySecondEachPlayersConfirmedStateIsTheHosts() throws {
        var compared = 0
        _ = try play(
            .init(latency: .milliseconds(100), jitter: .milliseconds(30), loss: 10), seconds: 60, players: 8, squares,
            check: { world, players, step in
                if step % 30 == 0 { world.spawnDrone(Drone.Kind.allCases[step / 30 % 3]) }
                guard step % 60 == 59 else { return }
                for player in players {
                    guard let (sequence, hash) = player.confirmed else { continue }
                    #expect(player.sender.snapshot(sequence)?.stateHash == hash)
                    compared += 1
                }
            })
        #expect(compared > 450, "\(compared)")
    }

    @Test func whoSendsMoreWishesDoesNotFlyFaster() {
        var (honest, greedy) = (InputQueue(), InputQueue())
        let east = Wish(Intent(thrust: Vector(1, 0)))
        func fly(_ queue: inout InputQueue, perStep: UInt32) -> Double {
            var ship = World(seed: 1, bots: 0).player
            let start = ship.position.x
            for step in 0..<UInt32(60) {
                queue.add(Array(repeating: east, count: Int(perStep)), first: 1 + step * perStep)
                ship.set(queue.next())
                _ = ship.advance(home: .zero)
            }
            return ship.position.x - start
        }
        let distance = fly(&honest, perStep: 1)
        // Who fills the queue at once begins two steps earlier.
        #expect(fly(&greedy, perStep: 20) <= distance + 2.01 * Ship.speed / 60)
        #expect(distance > 150)
        #expect(greedy.count <= 10)
    }

    @Test func aShipIsLeftToItselfWhenItsPlayerIsSilent() {
        var queue = InputQueue()
        queue.add(Array(repeating: Wish(Intent(thrust: Vector(1, 0), fires: true)), count: 5), first: 1)
        let intents = (0..<60).map { _ in queue.next() }
        #expect(intents[0].fires && intents[10].fires)
        #expect(intents[59] == Intent())
        #expect(queue.carriedOut == 5)
    }

    @Test func ownShotsAreThereAtOnce() throws {
        var firstShot: Int?
        _ = try play(
            .init(latency: .milliseconds(200)), seconds: 4, players: 1,
            { _, step in Intent(target: Vector(480, 0), fires: step >= 120) },
            check: { _, players, step in
                if step >= 120, firstShot == nil, !players[0].prediction.shots.isEmpty { firstShot = step }
            })
        #expect(firstShot == 120)
    }
}
