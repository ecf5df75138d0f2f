// SPDX-License-Identifier: Apache-2.0
// Traffic: what came and went, for statistics and limits.

internal import SkirmishProtocol

nonisolated package struct Traffic: Sendable, Hashable {
    package var sentDatagrams = 0
    package var sentBytes = 0
    package var receivedDatagrams = 0
    package var receivedBytes = 0
    /// Datagrams that were nobody's, or not what this protocol says.
    package var refusedDatagrams = 0
    package var largestSnapshot = 0
}

/// How often an address may try to come in.
struct AttemptLimits {
    private var limits: [String: RateLimit] = [:]
    /// So many addresses are kept; then all begin anew.
    private static let most = 256

    mutating func admits(_ host: String, at time: Duration) -> Bool {
        if limits[host] == nil, limits.count >= Self.most { limits = [:] }
        return limits[host, default: RateLimit(perSecond: 2, burst: 16)].admits(at: time)
    }
}

/// Connections that have not said who they are. One address has at most a quarter of them, so that it cannot keep the others out.
struct Strangers {
    private var counts: [String: Int] = [:]
    private static let most = 32
    private static let mostOfAHost = 8

    /// `false`: there are too many, of this address or of all.
    mutating func enter(_ host: String) -> Bool {
        guard counts.values.reduce(0, +) < Self.most, counts[host, default: 0] < Self.mostOfAHost else { return false }
        counts[host, default: 0] += 1
        return true
    }

    mutating func leave(_ host: String) {
        let left = counts[host, default: 1] - 1
        counts[host] = left > 0 ? left : nil
    }
}
