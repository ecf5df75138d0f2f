// SPDX-License-Identifier: Apache-2.0
// View: what a spectator's browser draws, fifteen times a second: places in whole units, no more than it needs.

import SkirmishMatch
import SkirmishNetwork

struct View: Encodable {
    /// A kind or a seat, and a place.
    struct Thing<Kind: Encodable>: Encodable {
        let kind: Kind
        let x, y: Double

        func encode(to encoder: any Encoder) throws {
            var values = encoder.unkeyedContainer()
            try values.encode(kind)
            try values.encode(Int(x.rounded()))
            try values.encode(Int(y.rounded()))
        }
    }

    let step: Int
    let beacon: Int
    let ships: [Thing<Int>]
    let things: [Thing<String>]
    let standing: Standing

    @MainActor init(_ host: DedicatedHost) {
        let state = host.state
        step = state?.step ?? 0
        beacon = state?.beaconHealth ?? 0
        let seats = Set(host.standing.players.map(\.seat))
        ships = (state?.ships ?? []).filter { $0.isFlying && seats.contains($0.number) }
            .map { Thing(kind: $0.number, x: $0.x, y: $0.y) }
        things = (state?.things ?? []).map { Thing(kind: $0.kind, x: $0.x, y: $0.y) }
        standing = host.standing
    }
}
