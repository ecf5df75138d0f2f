// SPDX-License-Identifier: Apache-2.0
// Server (W13): `ServerWork` on a headless host, as a dedicated server has it: a task that receives by the batch and one that ticks; with=handlers: a
//               handler, and a timer that arms itself.

import CBench
import Tandem

@MainActor private final class Server {
    let work: ServerWork
    let loop: GuestLoop
    let udp: UDPSocket
    let incoming = DatagramBatch(capacity: 64)
    let outgoing = DatagramBatch(capacity: ServerWork.players)
    private var addresses: [SocketAddress] = []
    private var snapshot = [UInt8](repeating: 1, count: ServerWork.snapshotSize)

    init(_ work: ServerWork, _ loop: GuestLoop) throws {
        (self.work, self.loop) = (work, loop)
        udp = try UDPSocket(on: loop, at: .loopback(port: 0))
    }

    func take(_ batch: DatagramBatch) {
        for index in 0..<batch.count {
            guard let address = batch.address(at: index), let port = address.port else { continue }
            if work.receives(from: UInt16(port)) { addresses.append(address) }
        }
    }

    /// One tick's snapshots, a datagram for each player. False: there are none.
    func fill(_ number: Int) -> Bool {
        guard work.begin(number), !addresses.isEmpty else { return false }
        outgoing.removeAll()
        snapshot[0] = UInt8(truncatingIfNeeded: number)
        for address in addresses { outgoing.append(snapshot, to: address) }
        return true
    }
}

@MainActor func server(_ options: Options) throws {
    let work = try ServerWork(options)
    let host = try HeadlessHost()
    let loop = host.loop
    try loop.adoptMainActor()
    let server = try Server(work, loop)
    var outcome: Result<Void, any Error>?
    let period = Duration.nanoseconds(work.period)
    switch options.word("with", "tasks") {
    case "tasks":
        loop.run({ @MainActor in
            while true {
                try await server.udp.receive(server.incoming)
                server.take(server.incoming)
            }
        })
        loop.run({ @MainActor in
            var number = 0
            for try await _ in loop.clock.timer(every: period) {
                if server.fill(number) {
                    try await server.udp.send(server.outgoing)
                    work.sent += server.outgoing.sentCount
                }
                number += 1
                if number == work.ticks { break }
            }
        }) {
            outcome = $0
            host.stop()
        }
    case "handlers":
        _ = try server.udp.whenReceived(server.incoming) { server.take($0) }
        var (number, deadline) = (0, loop.now)
        func arm() {
            deadline += period
            loop.callAt(deadline) {
                if server.fill(number), try server.udp.sendNow(server.outgoing) {
                    work.sent += server.outgoing.sentCount
                }
                number += 1
                if number < work.ticks { arm() } else { host.stop() }
            }
        }
        arm()
    default: throw Unsupported("with=\(options.word("with", "")): expected tasks or handlers")
    }
    bench_players_play(Int32(server.udp.localAddress.port ?? 0))
    host.run()
    if case .failure(let error) = outcome { throw error }
    host.close()
    try work.finish()
}
