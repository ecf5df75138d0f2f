// SPDX-License-Identifier: Apache-2.0
// Prediction: a player's own ship, ahead of what the host has confirmed.
// Idea:   the ship flies by the host's own rules, at once. When the host has spoken, the wishes that it has not carried out yet are
//         carried out again from there. What differs is moved little by little, for the eye only.

package import SkirmishRules

package struct Prediction: Sendable {
    private let seat: Int
    private var pending: [(sequence: UInt32, wish: Wish)] = []
    private var last: UInt32 = 0
    /// The ship as it is by the rules. `nil`: the host has not spoken yet.
    private(set) package var ship: Ship?
    /// Shots that the host does not know of yet.
    private(set) package var shots: [Shot] = []
    /// How far the picture is from the ship.
    private(set) package var offset = Vector.zero
    /// The step of the host that the ship is at.
    private(set) package var step = 0
    /// The greatest correction so far, and how many there were that one could see.
    private(set) package var greatestCorrection = 0.0
    private(set) package var corrections = 0

    private static let mostPending = 90
    /// More than this is a new ship, and not a mistake.
    private static let greatestSmoothed = 80.0

    package init(seat: Int) { self.seat = seat }

    /// What is to be sent: the wishes that the host has not carried out, and the number of the first.
    package var unconfirmed: (first: UInt32, wishes: [Wish]) {
        let sent = pending.suffix(ClientDatagram.Inputs.mostWishes)
        return (sent.first?.sequence ?? last + 1, sent.map(\.wish))
    }

    /// The ship as it is drawn.
    package var seen: Ship? { ship.map { $0.moved(by: offset) } }

    /// One step with this wish.
    package mutating func advance(_ intent: Intent) {
        last += 1
        let wish = Wish(intent)
        pending.append((last, wish))
        if pending.count > Self.mostPending { pending.removeFirst() }
        offset = offset * 0.88
        carryOut(wish)
    }

    /// What the host says of the ship, and of the last wish that is in it.
    package mutating func confirm(_ confirmed: Ship, step: Int, carriedOut: UInt32) {
        let before = ship
        pending.removeAll { $0.sequence <= carriedOut }
        ship = confirmed
        self.step = step
        shots = []
        for (_, wish) in pending { carryOut(wish) }
        guard let before, let ship, before.isFlying, ship.isFlying else { return offset = .zero }
        let error = before.position - ship.position
        let size = error.length
        guard size < Self.greatestSmoothed else { return offset = .zero }
        greatestCorrection = max(greatestCorrection, size)
        if size > 1 { corrections += 1 }
        offset += error
    }

    private mutating func carryOut(_ wish: Wish) {
        step += 1
        for index in shots.indices { shots[index] = shots[index].flown(for: World.step) }
        shots.removeAll { $0.timeLeft <= 0 }
        ship?.set(wish.intent)
        guard ship?.advance(home: World.home(seat, of: GameProtocol.seats)) == .mayFire else { return }
        if let shot = ship?.fire(id: -step) { shots.append(shot) }
    }
}
