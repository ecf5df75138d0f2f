// SPDX-License-Identifier: Apache-2.0
// MatchServer+Agones: what an allocation's record says to the match: its code, and how many may come.

public import AgonesSDK
import Logging

extension MatchServer: ManagedGame {
    /// The annotation that an allocation writes the match's code into.
    public nonisolated static let codeAnnotation = "skirmish/code"

    /// How many people play, and whether others are let in.
    public var occupancy: Occupancy { Occupancy(people: host.people, isOpen: !host.standing.isDraining) }

    /// Takes the code and the capacity, where the record has them.
    public func take(_ record: GameServerRecord) {
        if let code = record.metadata?.annotations?[Self.codeAnnotation] {
            // The error does not repeat the code, which is a secret.
            do { try host.setCode(code) } catch { logger.warning("the record's code is not taken: \(error)") }
        }
        if let capacity = record.status?.counters?[AgonesService.counter]?.capacity { host.setCapacity(capacity) }
    }
}
