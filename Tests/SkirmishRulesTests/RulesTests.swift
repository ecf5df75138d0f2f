// SPDX-License-Identifier: Apache-2.0
// RulesTests: the rules of the game, apart from drawing and time.

import Testing

@testable import SkirmishRules

@Suite struct RulesTests {
    /// A match flown by its pilots, wave after wave, without a clock.
    private func play(seed: UInt64, steps: Int) -> World {
        var world = World(seed: seed, bots: 2)
        for step in 0..<steps {
            if step % 40 == 0 { world.spawnDrone(Drone.Kind.allCases[step / 40 % 3]) }
            if step % 6 == 0 {
                for ship in world.ships.indices { world.setIntent(BotPilot.decide(world, ship: ship), ship: ship) }
            }
            _ = world.advance()
        }
        return world
    }

    @Test func theSameSeedAndIntentsGiveTheSameHash() {
        #expect(play(seed: 3, steps: 2000).stateHash == play(seed: 3, steps: 2000).stateHash)
    }

    @Test func anotherSeedOrAnotherStepGivesAnotherHash() {
        let hash = play(seed: 3, steps: 500).stateHash
        #expect(hash != play(seed: 4, steps: 500).stateHash)
        #expect(hash != play(seed: 3, steps: 501).stateHash)
    }

    @Test func aShipFliesWhereItsPilotWantsAndNoFasterThanItCan() {
        var world = World(seed: 1, bots: 0)
        let start = world.player.position
        world.setIntent(Intent(thrust: Vector(-1, 0)), ship: 0)
        for _ in 0..<60 { _ = world.advance() }
        #expect(world.player.position.x < start.x - 100)
        #expect(world.player.velocity.length <= Ship.speed + 1e-9)
        for _ in 0..<600 { _ = world.advance() }
        #expect(world.player.position.x >= Ship.radius)
    }

    @Test func aShotDestroysAChaserAndScores() {
        var world = World(seed: 1, bots: 0)
        let place = world.player.position + Vector(0, -150)
        world.spawnDrone(.chaser, at: place)
        world.setIntent(Intent(target: place, fires: true), ship: 0)
        var events: [WorldEvent] = []
        for _ in 0..<60 where !world.drones.isEmpty { events += world.advance() }
        #expect(world.drones.isEmpty)
        #expect(world.score == Drone.score(.chaser))
        #expect(events.contains { if case .explosion = $0 { true } else { false } })
    }

    @Test func shotsCostEnergyAndAnEmptyShipDoesNotFire() {
        var world = World(seed: 1, bots: 0)
        world.setIntent(Intent(target: Vector(0, 0), fires: true), ship: 0)
        for _ in 0..<1200 { _ = world.advance() }
        #expect(world.player.energy < Ship.shotEnergy * 2)
    }

    @Test func aSplitterBreaksIntoTwoChasers() {
        var world = World(seed: 1, bots: 0)
        // Far from the beacon, so that it is shot before it arrives.
        let place = world.player.position + Vector(200, 100)
        world.spawnDrone(.splitter, at: place)
        while world.drones.first?.kind == .splitter, world.steps < 400 {
            world.setIntent(Intent(target: world.drones[0].position, fires: true), ship: 0)
            _ = world.advance()
        }
        #expect(world.drones.map(\.kind) == [.chaser, .chaser])
    }

    @Test func anOrbiterKeepsItsDistanceAndShootsAtTheBeacon() {
        var world = World(seed: 1, bots: 0)
        world.spawnDrone(.orbiter, at: Vector(480, 20))
        for _ in 0..<900 { _ = world.advance() }
        #expect(world.beacon.health < Beacon.fullHealth)
        #expect(world.drones.count == 1)
        #expect((world.drones[0].position - world.beacon.position).length > 120)
    }

    @Test func aDroneThatReachesTheBeaconHurtsItAndIsGone() {
        var world = World(seed: 1, bots: 0)
        world.spawnDrone(.splitter, at: Vector(480, 200))
        for _ in 0..<300 where !world.drones.isEmpty { _ = world.advance() }
        #expect(world.drones.isEmpty)
        #expect(world.beacon.health == Beacon.fullHealth - 6)
    }

    @Test func theMatchEndsWithTheBeacon() {
        var world = World(seed: 1, bots: 0)
        var isOver = false
        for step in 0..<20_000 where !world.isOver {
            if step % 30 == 0 { world.spawnDrone(.splitter, at: Vector(480, 180)) }
            if world.advance().contains(.gameOver) { isOver = true }
        }
        #expect(isOver)
        #expect(world.beacon.health == 0 || world.player.lives == 0)
        let steps = world.steps
        #expect(world.advance().isEmpty)
        #expect(world.steps == steps)
    }

    @Test func thePlayerLosesALifeReturnsAndIsProtectedForAMoment() {
        var world = World(seed: 1, bots: 0)
        for _ in 0..<120 { _ = world.advance() }
        var lost = false
        for _ in 0..<600 where !lost {
            world.spawnDrone(.chaser, at: world.player.position + Vector(30, 0))
            for event in world.advance() { if case .shipLost = event { lost = true } }
        }
        #expect(lost)
        #expect(world.player.lives == Ship.lives - 1)
        #expect(!world.player.isFlying)
        for _ in 0..<Int((Ship.timeToReturn + 0.1) * 60) { _ = world.advance() }
        #expect(world.player.isFlying)
        #expect(world.player.protection > 0)
        #expect(world.player.health == Ship.fullHealth)
    }

    @Test func botsReturnForEver() {
        var world = World(seed: 1, bots: 1)
        for _ in 0..<4000 where !world.isOver {
            if world.ships[1].isFlying, world.ships[1].protection == 0 {
                world.spawnDrone(.chaser, at: world.ships[1].position + Vector(5, 0))
            }
            _ = world.advance()
        }
        #expect(world.ships[1].lives == Ship.lives)
    }

    @Test func gatheringACellScoresAndRefills() {
        var world = World(seed: 1, bots: 0)
        world.setIntent(Intent(target: .zero, fires: true), ship: 0)
        for _ in 0..<240 { _ = world.advance() }
        world.setIntent(Intent(), ship: 0)
        let before = world.player.energy
        world.spawnCell(at: world.player.position)
        let events = world.advance()
        #expect(events.contains { if case .cellGathered = $0 { true } else { false } })
        #expect(world.player.energy > before + 15)
        #expect(world.score == Cell.score)
        #expect(world.cells.isEmpty)
    }

    @Test func aCellFadesWhenNobodyComes() {
        var world = World(seed: 1, bots: 0)
        world.spawnCell(at: Vector(10, 10))
        for _ in 0..<Int(Cell.lifetime * 60) + 2 { _ = world.advance() }
        #expect(world.cells.isEmpty)
        #expect(world.score == 0)
    }

    @Test func theArenaHasLimits() {
        var world = World(seed: 1, bots: 15)
        for _ in 0..<500 {
            world.spawnDrone(.orbiter)
            world.spawnCell(at: Vector(10, 10))
        }
        #expect(world.drones.count == World.mostDrones)
        let isTaken = world.spawnDrone(.chaser)
        #expect(!isTaken)
        #expect(world.cells.count == World.mostCells)
        for ship in world.ships.indices { world.setIntent(Intent(target: .zero, fires: true), ship: ship) }
        for _ in 0..<600 where !world.isOver {
            _ = world.advance()
            #expect(world.shots.count <= World.mostShots)
        }
    }

    @Test func aPilotAimsAheadOfTheGravestThreat() {
        var world = World(seed: 1, bots: 1)
        world.spawnDrone(.chaser, at: Vector(10, 10))
        world.spawnDrone(.chaser, at: Vector(480, 180))
        let intent = BotPilot.decide(world, ship: 1)
        #expect(intent.fires)
        #expect((intent.target ?? .zero).isWithin(30, of: Vector(480, 180)))
    }

    @Test func anIdlePilotGathersCells() {
        var world = World(seed: 1, bots: 1)
        world.spawnCell(at: Vector(900, 300))
        let intent = BotPilot.decide(world, ship: 1)
        #expect(intent.thrust.x > 0.5)
        #expect(!intent.fires)
        #expect(BotPilot.decide(world, ship: 7) == Intent())
    }

    @Test func wavesGrowToALimitAndBringNewKinds() {
        let plans = (1...40).map(WavePlan.init)
        #expect(zip(plans, plans.dropFirst()).allSatisfy { $0.arrivals.count <= $1.arrivals.count })
        #expect(plans[39].arrivals.count == 40)
        #expect(Set(plans[0].arrivals.map(\.kind)) == [.chaser])
        #expect(Set(plans[5].arrivals.map(\.kind)) == Set(Drone.Kind.allCases))
        #expect(plans.allSatisfy { $0.arrivals.allSatisfy { $0.delay >= 0.25 } })
    }

    @Test func vectorsKeepTheirLengths() {
        #expect(Vector.zero.unit == .zero)
        #expect(abs(Vector(3, 4).length - 5) < 1e-12)
        #expect(abs(Vector(30, 40).limited(to: 1).length - 1) < 1e-12)
        #expect(Vector(1, 0).perpendicular == Vector(0, 1))
    }
}
