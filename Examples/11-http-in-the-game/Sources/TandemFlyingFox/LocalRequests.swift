// SPDX-License-Identifier: Apache-2.0
// LocalRequests: only pages and tools that mean this server reach the game, and only with requests whose end is certain.
// Idea:   a browser lets every page of the web send requests and open WebSockets to this machine. It says from where (`Origin`), and by which name it
//         was reached (`Host`): a page of elsewhere has another origin, and a name of elsewhere that was made to point here (DNS
//         rebinding) another host. Both are refused.
//         What nobody reads of a body that is long or comes in chunks, FlyingFox takes for the next request, whose `Host` and `Origin` whoever wrote
//         the body has chosen. So a connection on which such a body comes is cut.
// Owner:  any thread.
// Breaks: an answer to such a request, instead of the connection's end, lets the rest of its body through.

public import FlyingFox
import FlyingSocks
import Foundation

import struct FlyingSocks.Socket

/// Passes requests on whose `Host` is one of this machine's names, and whose `Origin`, if there is one, is that host; refuses others with 403.
/// Ends connections on which a body comes in chunks or is longer than allowed.
public struct LocalRequests<Base: HTTPHandler>: HTTPHandler {
    private let base: Base
    private let pool: GuestSocketPool
    private let names: Set<String>
    private let maximumBody: Int

    /// - Parameters:
    ///   - base: What answers the requests that are passed on.
    ///   - pool: The server's.
    ///   - names: Under which names this server may be reached, without the port.
    ///   - maximumBody: How many bytes a request's body may have; at most 2 MiB, up to which FlyingFox skips what nobody has read.
    public init(
        _ base: Base, on pool: GuestSocketPool, names: Set<String> = ["localhost", "127.0.0.1", "[::1]"],
        maximumBody: Int = 16_384
    ) {
        self.base = base
        self.pool = pool
        self.names = names
        self.maximumBody = min(maximumBody, 1 << 21)
    }

    /// What `base` answers, or 403.
    public func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard hasCertainEnd(request) else {
            pool.cutConnection(from: request.remoteAddress)
            throw SocketError.disconnected
        }
        guard isLocal(request) else {
            return HTTPResponse(
                statusCode: .forbidden, body: Data("only for this machine's own pages and tools\n".utf8))
        }
        return try await base.handleRequest(request)
    }

    private func hasCertainEnd(_ request: HTTPRequest) -> Bool {
        guard request.headers[.transferEncoding] == nil else { return false }
        return request.headers[.contentLength].map { Int($0) ?? .max } ?? 0 <= maximumBody
    }

    private func isLocal(_ request: HTTPRequest) -> Bool {
        guard let host = request.headers[.host]?.lowercased(), names.contains(name(of: host)) else { return false }
        guard let origin = request.headers[HTTPHeader("Origin")]?.lowercased() else { return true }
        return origin == "http://\(host)" || origin == "https://\(host)"
    }

    /// A host without its port; that of IPv6 stands in brackets.
    private func name(of host: String) -> String {
        if let end = host.lastIndex(of: "]") { return String(host[...end]) }
        return String(host.prefix { $0 != ":" })
    }
}

extension GuestSocketPool {
    fileprivate func cutConnection(from peer: HTTPRequest.Address?) {
        switch peer {
        case .ip4(let host, let port): cutConnection(from: Socket.Address.ip4(host, port: port))
        case .ip6(let host, let port): cutConnection(from: Socket.Address.ip6(host, port: port))
        // A peer that has gone, or one of a Unix socket, which no browser can reach.
        case .unix, nil: break
        }
    }
}
