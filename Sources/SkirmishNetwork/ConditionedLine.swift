// SPDX-License-Identifier: Apache-2.0
// ConditionedLine: a player's datagrams, there and back, over a network that may be made worse.

internal import SkirmishProtocol
internal import Tandem

final class ConditionedLine {
    private let loop: GuestLoop
    private let socket: UDPSocket
    private var conditioner: NetworkConditioner

    init(to address: SocketAddress, _ conditions: NetworkConditions, seed: UInt64, on loop: GuestLoop) throws {
        self.loop = loop
        socket = try UDPSocket.connected(to: address, on: loop)
        conditioner = NetworkConditioner(conditions, seed: seed)
    }

    /// What the kernel does not take is lost, as datagrams are.
    func send(_ bytes: [UInt8]) { later { [socket] in _ = try? socket.sendNow(bytes) } }

    /// Hands on what comes, until the line is closed or the task is cancelled.
    func run(_ take: @escaping @MainActor ([UInt8]) -> Void) async throws {
        while true {
            do {
                for try await datagram in socket.datagrams(upTo: GameProtocol.mostDatagramBytes) {
                    later { take(datagram.bytes) }
                }
                return
            } catch let error as GuestError where error.errno == .connectionRefused {
                // The system says that nobody listens there, which the host's silence will say, too.
            }
        }
    }

    func close() { socket.close() }

    /// Does something when the datagram's way would have been gone, unless it is lost.
    private func later(_ body: @escaping @MainActor () -> Void) {
        guard let delay = conditioner.delay() else { return }
        // Safe: the loop is the main actor's.
        if delay == .zero { body() } else { loop.callLater(delay) { MainActor.assumeIsolated { body() } } }
    }
}
