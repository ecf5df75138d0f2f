// SPDX-License-Identifier: Apache-2.0
// GivenPort: the port that Agones has opened for this server.
// Idea:   with the policy `Passthrough` the port is the same inside and outside, so that a game which tells its players a port tells the right one. The
//         server has to ask for it before it listens.

extension SDKClient {
    /// The port of that name in the record; `nil` if the record has ports, and none of that name.
    ///
    /// Asks again while the SDK server, which may begin later than the game, does not answer, or does not know the ports yet.
    ///
    /// - Throws: what the last question threw, if `limit` passes; `CancellationError`.
    public func port(named name: String, within limit: Duration) async throws -> UInt16? {
        let end = ContinuousClock.now.advanced(by: limit)
        while true {
            do {
                let ports = try await record().status?.ports ?? []
                let named = ports.first { $0.name == name || $0.name == "\(name)-tcp" || $0.name == "\(name)-udp" }
                if let port = named?.port, port > 0 { return port }
                if !ports.isEmpty { return nil }
                guard ContinuousClock.now < end else {
                    throw Failure(description: "the record had no ports within \(limit)")
                }
            } catch {
                if Task.isCancelled || ContinuousClock.now >= end { throw error }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
