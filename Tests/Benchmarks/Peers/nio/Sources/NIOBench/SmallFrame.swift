// SPDX-License-Identifier: Apache-2.0
// SmallFrame (W12): `FrameWork` on swift-nio. Posts are closures for the main queue; timers are an event loop's, and run there a hop to the main queue;
//                   datagrams are counted on the event loop, and the count goes to the main queue once they are read; tasks are the main actor's, and
//                   wait for a continuation that the frame resumes.
// Owner:  the main thread, but for the channel's handler.

import CBench
import CSDL
import Dispatch
import Glibc
import NIOCore
import NIOPosix

/// On the channel's event loop: how many datagrams one read has brought, to the main queue.
private final class Counter: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    private let tell: @Sendable (Int) -> Void
    private var count = 0

    init(_ tell: @escaping @Sendable (Int) -> Void) { self.tell = tell }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { count += 1 }

    func channelReadComplete(context: ChannelHandlerContext) {
        tell(count)
        count = 0
    }
}

/// The tasks that wait for the next frame.
@MainActor private final class FrameWaiters {
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    func nextFrame() async { await withUnsafeContinuation { waiting.append($0) } }

    func resume() {
        let resumed = waiting
        waiting.removeAll(keepingCapacity: true)
        for continuation in resumed { continuation.resume() }
    }
}

@MainActor func smallFrame(_ options: Options) throws {
    let port = try mirrorPort()
    let work = try FrameWork(options)
    let counts = work.counts
    let main = try MainQueue(options)
    try startSDL(options)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let eventLoop = group.next()
    let mirror = try SocketAddress(ipAddress: "127.0.0.1", port: Int(port))
    let channel = try DatagramBootstrap(group: group)
        .channelOption(.datagramVectorReadMessageCount, value: 32)
        .channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    Counter { count in DispatchQueue.main.async { counts.received += count } })
            }
        }
        .connect(to: mirror).wait()
    let buffer = channel.allocator.buffer(bytes: FramePart.datagram)

    let waiters = FrameWaiters()
    for number in 0..<FramePart.tasks {
        Task { @MainActor in
            while true {
                await waiters.nextFrame()
                guard work.resumes(number) else { continue }
                for _ in 0..<FramePart.datagrams {
                    channel.write(AddressedEnvelope(remoteAddress: mirror, data: buffer), promise: nil)
                }
                channel.flush()
                counts.sent += FramePart.datagrams
            }
        }
    }
    work.startPosters {
        DispatchQueue.main.async { counts.ran += 1 }
        return true
    }

    var event = SDL_Event()
    let begin = now()
    for number in 0..<work.frames {
        bench_sleep_until(begin + Int64(number) * work.period)
        work.begin(number)
        work.armTimers { delay in
            eventLoop.scheduleTask(in: .nanoseconds(delay)) { DispatchQueue.main.async { counts.fired += 1 } }
        } cancel: {
            $0.cancel()
        }
        while SDL_PollEvent(&event) != 0 {}
        main.pump()
        waiters.resume()
        main.pump()
    }
    // A continuation that the main thread resumes goes by way of the pool's threads to the main queue, and may come after the frame's last pump.
    try work.finish(mayMiss: true)
}
