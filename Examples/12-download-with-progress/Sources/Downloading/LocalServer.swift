// SPDX-License-Identifier: Apache-2.0
// LocalServer: something to download from, in the same process: `GET /bytes/N` gives N bytes, in pieces, at a pace.
// Owner:  NIO's event loops.

import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server on a free port of 127.0.0.1.
public struct LocalServer: Sendable {
    private let channel: any Channel

    /// The content: the same for every reader, and no two neighbouring pieces alike, since their length is no multiple of a prime.
    public static func byte(at index: Int) -> UInt8 { UInt8(index % 251) }

    /// Starts it. Each piece is sent `pace` after the one before; `saysLength`: whether the answer begins with the number of bytes.
    public static func start(
        pieceLength: Int = 65_536, pace: TimeAmount = .zero, saysLength: Bool = true
    ) async throws -> LocalServer {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(pieceLength: pieceLength, pace: pace, saysLength: saysLength))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return LocalServer(channel: channel)
    }

    /// Where `count` bytes are to be had.
    public func url(bytes count: Int) -> String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/bytes/\(count)" }

    /// Takes no more connections.
    public func stop() async throws { try await channel.close() }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let pieceLength: Int
        private let pace: TimeAmount
        private let saysLength: Bool
        private let content: [UInt8]

        init(pieceLength: Int, pace: TimeAmount, saysLength: Bool) {
            self.pieceLength = pieceLength
            self.pace = pace
            self.saysLength = saysLength
            content = (0..<pieceLength + 251).map(LocalServer.byte)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            let parts = head.uri.split(separator: "/")
            guard parts.count == 2, parts[0] == "bytes", let count = Int(parts[1]) else {
                let answer = HTTPResponseHead(version: .http1_1, status: .notFound, headers: ["Content-Length": "0"])
                context.write(wrapOutboundOut(.head(answer)), promise: nil)
                return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
            let headers: HTTPHeaders = saysLength ? ["Content-Length": "\(count)"] : ["Transfer-Encoding": "chunked"]
            let answer = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(answer)), promise: nil)
            send(from: 0, of: count, context)
        }

        /// One piece, and when it has left and the pace allows, the next.
        private func send(from start: Int, of count: Int, _ context: ChannelHandlerContext) {
            guard start < count else { return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil) }
            let end = min(start + pieceLength, count)
            let piece = ByteBuffer(bytes: content[start % 251..<start % 251 + end - start])
            let next = context.eventLoop.assumeIsolated()
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece)))).assumeIsolated().whenSuccess {
                _ = next.scheduleTask(in: self.pace) { self.send(from: end, of: count, context) }
            }
        }
    }
}
