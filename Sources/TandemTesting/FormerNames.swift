// SPDX-License-Identifier: Apache-2.0
// FormerNames: names that calls had before. They do what they did, and go with 0.2; CHANGELOG.md has the table.

public import Tandem

extension Simulation {
    /// The former name of ``advance(frames:_:)``.
    @available(*, deprecated, renamed: "advance(frames:_:)")
    public func run(frames count: Int, _ update: (Frame) throws -> Void = { _ in }) throws {
        try advance(frames: count, update)
    }
}
