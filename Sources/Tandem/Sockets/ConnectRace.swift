// SPDX-License-Identifier: Apache-2.0
// ConnectRace: connecting to the first address that answers, as RFC 8305 ("happy eyeballs") says.
// Idea:   addresses of both families stand in turn. An attempt that has not succeeded within 250 ms gets company, one that fails is
//         replaced at once; the first that succeeds wins and the others are closed. One address is a race of one.
// Owner:  the UI thread: callbacks and timers, no tasks, so that nothing leaves the thread.
// Breaks: an attempt that is forgotten instead of cancelled would keep its descriptor and its watch.

import Logging

final class ConnectRace: @unchecked Sendable {
    // Safe to send: made on any thread, used on the UI thread; `winner` is read after the waiter was resumed.

    /// One try: calls back once, on the UI thread, unless it is cancelled. May call back before it returns.
    typealias Attempt = (SocketAddress, @escaping (Result<Socket, GuestError>) -> Void) -> (() -> Void)

    static let attemptDelay = Duration.milliseconds(250)

    private let addresses: [SocketAddress]
    private let loop: GuestLoop
    private let attempt: Attempt
    private var waiter: Waiter?
    private var next = 0
    /// How to call off what is under way, by the address's place.
    private var underWay: [Int: () -> Void] = [:]
    private var timer: CallbackHandle?
    private var failures: [GuestError] = []
    private(set) var winner: Socket?

    /// A race among `addresses`, which are in the order of the resolver's preference.
    init(_ addresses: [SocketAddress], on loop: GuestLoop, attempt: Attempt? = nil) {
        self.addresses = Self.interleaved(addresses)
        self.loop = loop
        self.attempt = attempt ?? { address, done in ConnectAttempt.start(address, on: loop, done) }
    }

    /// Families in turn, beginning with the first address's; the order within each stays.
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        var preferred = addresses.filter { $0.family == first.family }[...]
        var others = addresses.filter { $0.family != first.family }[...]
        var result: [SocketAddress] = []
        while !preferred.isEmpty || !others.isEmpty {
            if let address = preferred.popFirst() { result.append(address) }
            if let address = others.popFirst() { result.append(address) }
        }
        return result
    }

    /// Suspends until somebody has won or all have lost.
    ///
    /// - Throws: the first failure if there was one address; else `.socketFailed`, which lists them.
    func run() async throws -> Socket {
        try await loop.waitFromAnywhere(isolation: #isolation) { [self] waiter in
            self.waiter = waiter
            waiter.list(
                WaitNote(
                    kind: .other, site: nil,
                    reason: "a task that connects to \(addresses.map(\.description).joined(separator: ", "))"))
            startNext()
            return { [self] in end() }
        }
        return winner!
    }

    private func startNext() {
        timer?.cancel()
        timer = nil
        guard waiter != nil, next < addresses.count else { return }
        let index = next
        next += 1
        if next < addresses.count { timer = loop.callLater(Self.attemptDelay) { [self] in startNext() } }
        // The place is taken before the attempt may call back.
        underWay[index] = {}
        let cancel = attempt(addresses[index]) { [self] in finish(index, $0) }
        if underWay[index] != nil { underWay[index] = cancel }
    }

    private func finish(_ index: Int, _ result: Result<Socket, GuestError>) {
        guard underWay.removeValue(forKey: index) != nil, let waiter else {
            if case .success(let late) = result { late.close() }
            return
        }
        switch result {
        case .success(let socket):
            winner = socket
            end()
            waiter.resume()
        case .failure(let error):
            failures.append(error)
            if next < addresses.count { return startNext() }
            guard underWay.isEmpty else { return }
            let error = summary
            end()
            waiter.resume(throwing: error)
        }
    }

    private func end() {
        timer?.cancel()
        timer = nil
        waiter = nil
        let cancels = underWay.values
        underWay = [:]
        for cancel in cancels { cancel() }
    }

    private var summary: GuestError {
        guard failures.count > 1 else { return failures[0] }
        return GuestError(
            .socketFailed, errno: failures[0].errno,
            "none of \(failures.count) addresses answered: \(failures.map(\.context).joined(separator: "; "))")
    }
}
