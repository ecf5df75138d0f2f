// SPDX-License-Identifier: Apache-2.0
// RequestLimits: how long a peer may take to send a request or to read an answer, and how long a body may be.
// Idea:   Hummingbird closes a connection on which no whole head comes in time, and refuses a head that is too long. Whoever sends a piece of a body now
//         and then, and whoever does not read, would be waited for: both have a deadline here. A body is counted as it comes, whoever reads it.
// Owner:  the connection's event loop.

import NIOCore
import NIOHTTPTypes

final class RequestLimits: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let patience: TimeAmount
    private let maximumBody: Int
    private var body = 0
    private var reading: Scheduled<Void>?
    private var writing: Scheduled<Void>?

    init(patience: TimeAmount, maximumBody: Int) {
        self.patience = patience
        self.maximumBody = maximumBody
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            body = 0
            reading = deadline(context)
        case .body(let piece):
            body += piece.readableBytes
            if body > maximumBody { return context.close(promise: nil) }
        case .end:
            reading?.cancel()
        }
        context.fireChannelRead(data)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        writing?.cancel()
        writing = context.channel.isWritable ? nil : deadline(context)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        reading?.cancel()
        writing?.cancel()
        context.fireChannelInactive()
    }

    private func deadline(_ context: ChannelHandlerContext) -> Scheduled<Void> {
        let channel = context.channel
        return context.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    }
}
