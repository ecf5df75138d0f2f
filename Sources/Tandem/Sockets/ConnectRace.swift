// SPDX-License-Identifier: Apache-2.0
// ConnectRace: connecting to the first address that answers, as RFC 8305 ("happy eyeballs") says.
// Idea:   addresses of the two families alternate. If an attempt has not succeeded within 250 ms, the next one starts
//         beside it; if an attempt fails, the next one starts at once. The first that succeeds wins and the others are
//         closed. A single address takes the same way.
// Owner:  the UI thread. Callbacks and timers, no tasks, so that nothing runs on another thread.
// Breaks: an attempt that is dropped without being cancelled would keep its descriptor and its registration.

import Logging

final class ConnectRace: @unchecked Sendable {
    // Safe to send: made on any thread, used on the UI thread only; `winner` is read after the waiter was resumed.

    /// One attempt. It calls back once, on the UI thread, unless it is cancelled. It may call back before it returns.
    typealias Attempt = (SocketAddress, @escaping (Result<GuestSocket, GuestError>) -> Void) -> (() -> Void)

    static let attemptDelay = Duration.milliseconds(250)

    private let addresses: [SocketAddress]
    private let loop: GuestLoop
    private let attempt: Attempt
    private var waiter: Waiter?
    private var next = 0
    /// The functions that cancel the attempts that run, by the place of the address.
    private var underWay: [Int: () -> Void] = [:]
    private var timer: CallbackHandle?
    private var failures: [GuestError] = []
    private(set) var winner: GuestSocket?

    /// A race among `addresses`, given in the order that the resolver prefers.
    init(_ addresses: [SocketAddress], on loop: GuestLoop, attempt: Attempt? = nil) {
        self.addresses = Self.interleaved(addresses)
        self.loop = loop
        self.attempt = attempt ?? { address, done in ConnectAttempt.start(address, on: loop, done) }
    }

    /// The addresses with the two families alternating, beginning with the family of the first. The order within each
    /// family is kept.
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

    /// Suspends until one attempt has succeeded or all have failed.
    ///
    /// - Throws: the first failure if there was one address; else `.socketFailed`, which lists them.
    func run() async throws -> GuestSocket {
        try await loop.waitFromAnywhere { [self] waiter in
            self.waiter = waiter
            waiter.list(
                WaitNote(
                    kind: .other, site: nil,
                    reason: "a task that connects to \(addresses.map(\.description).joined(separator: ", "))"))
            startNext()
            return .call { [self] in end() }
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
        // The entry is made before the attempt starts, since it may call back at once.
        underWay[index] = {}
        let cancel = attempt(addresses[index]) { [self] in finish(index, $0) }
        if underWay[index] != nil { underWay[index] = cancel }
    }

    private func finish(_ index: Int, _ result: Result<GuestSocket, GuestError>) {
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
