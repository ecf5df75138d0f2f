// SPDX-License-Identifier: Apache-2.0
// Server (W13): `ServerWork` on one event loop of swift-nio, which does everything: inputs are read by vectors, and a repeated task sends the snapshots.
// Owner:  the event loop, from `start` on.

import CBench
import Glibc
import NIOCore
import NIOPosix
import Synchronization

private final class Server: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    typealias OutboundOut = AddressedEnvelope<ByteBuffer>

    private let work: ServerWork
    private let ended: @Sendable () -> Void
    private var addresses: [SocketAddress] = []
    private var snapshot = [UInt8](repeating: 1, count: ServerWork.snapshotSize)
    private var number = 0

    init(_ work: ServerWork, ended: @escaping @Sendable () -> Void) { (self.work, self.ended) = (work, ended) }

    func channelActive(context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let begin = now()
        // An instant for each tick, since a repeated task counts from the end of the last one.
        @Sendable func arm(_ number: Int) {
            let (server, context) = bound.value
            let left = max(0, begin + Int64(number) * server.work.period - now())
            context.eventLoop.scheduleTask(in: .nanoseconds(left)) {
                let (server, context) = bound.value
                server.tick(context)
                if number + 1 < server.work.ticks { arm(number + 1) } else { server.ended() }
            }
        }
        arm(0)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let address = Self.unwrapInboundIn(data).remoteAddress
        guard let port = address.port else { return }
        if work.receives(from: UInt16(port)) { addresses.append(address) }
    }

    private func tick(_ context: ChannelHandlerContext) {
        defer { number += 1 }
        guard work.begin(number), !addresses.isEmpty else { return }
        snapshot[0] = UInt8(truncatingIfNeeded: number)
        let buffer = context.channel.allocator.buffer(bytes: snapshot)
        for address in addresses {
            context.write(Self.wrapOutboundOut(AddressedEnvelope(remoteAddress: address, data: buffer)), promise: nil)
        }
        context.flush()
        work.sent += addresses.count
    }
}

@MainActor func server(_ options: Options) throws {
    // Safe: the event loop's from here on, until it has ended.
    nonisolated(unsafe) let work = try ServerWork(options)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let ended = group.next().makePromise(of: Void.self)
    let channel = try DatagramBootstrap(group: group)
        .channelOption(.datagramVectorReadMessageCount, value: 64)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(Server(work) { ended.succeed() })
            }
        }
        .bind(host: "127.0.0.1", port: 0).wait()
    bench_players_play(Int32(channel.localAddress?.port ?? 0))
    try ended.futureResult.wait()
    try work.finish()
}
