// SPDX-License-Identifier: Apache-2.0
// ConditionedLine: a player's datagrams, there and back, over a network that may be made worse.

internal import SkirmishProtocol
internal import Tandem

final class ConditionedLine {
    private let loop: GuestLoop
    private let socket: UDPSocket
    private var conditioner: NetworkConditioner
    private let outgoing: AsyncStream<[UInt8]>
    private let outbox: AsyncStream<[UInt8]>.Continuation

    init(to address: SocketAddress, _ conditions: NetworkConditions, seed: UInt64, on loop: GuestLoop) throws {
        self.loop = loop
        socket = try UDPSocket.connected(to: address, on: loop)
        conditioner = NetworkConditioner(conditions, seed: seed)
        (outgoing, outbox) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
    }

    func send(_ bytes: [UInt8]) { later { [outbox] in outbox.yield(bytes) } }

    /// Sends, and hands on what comes, until the task is cancelled.
    func run(_ take: @escaping @MainActor ([UInt8]) -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await self.sendAll() }
            while true {
                guard let bytes = try await receive() else { continue }
                later { take(bytes) }
            }
        }
    }

    func close() {
        outbox.finish()
        socket.close()
    }

    /// Does something when the datagram's way would have been gone, unless it is lost.
    private func later(_ body: @escaping @MainActor () -> Void) {
        guard let delay = conditioner.delay() else { return }
        // Safe: the loop is the main actor's.
        if delay == .zero { body() } else { loop.callLater(delay) { MainActor.assumeIsolated { body() } } }
    }

    /// `nil`: the system says that nobody listens there, which a host's silence will say, too.
    private func receive() async throws -> [UInt8]? {
        do {
            return try await socket.receive(upTo: GameProtocol.mostDatagramBytes).bytes
        } catch let error as GuestError where error.errno == .connectionRefused {
            return nil
        }
    }

    private func sendAll() async throws {
        for await bytes in outgoing {
            do { try await socket.send(bytes) } catch let error as GuestError where error.code == .socketFailed {
                // Not sent is lost.
            }
        }
    }
}
