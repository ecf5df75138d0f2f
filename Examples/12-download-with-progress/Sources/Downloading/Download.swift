// SPDX-License-Identifier: Apache-2.0
// Download: a file from the network, piece by piece, as the game sees it.
// Idea:   the server is a stranger: it may stop in the middle, or send without end. Both have a limit, and both leave the old file.
// Owner:  the main actor. The network's threads are the client's.

import AsyncHTTPClient
import NIOCore
public import SystemPackage

/// A download whose progress a frame may read.
@MainActor public final class Download {
    /// How many bytes have come.
    public private(set) var received = 0
    /// How many there will be; `nil` until the server has said so, and if it does not.
    public private(set) var total: Int?
    /// Pieces that have come.
    public private(set) var pieces = 0

    private let limit: Int
    private let idleLimit: Duration

    /// A download that has not begun.
    ///
    /// - Parameters:
    ///   - limit: How many bytes it may have; more than that is an error, at the latest when they arrive.
    ///   - idleLimit: How long the server may say nothing, before its answer or in the middle of it.
    public init(limit: Int = 1 << 30, idleLimit: Duration = .seconds(15)) {
        self.limit = limit
        self.idleLimit = idleLimit
    }

    /// 0…1; 0 as long as the length is not known.
    public var fraction: Double { total.map { $0 == 0 ? 1 : Double(received) / Double($0) } ?? 0 }

    /// Fetches `url` and puts it at `path`, in one step when it is complete: a download that fails or is cancelled leaves what was there.
    ///
    /// - Parameter onPiece: called on the main actor after each piece.
    /// - Throws: `DownloadError`, `ReplacementError`, or what the client and the file system say.
    public func run(_ url: String, to path: FilePath, onPiece: () -> Void = {}) async throws {
        (received, pieces, total) = (0, 0, nil)
        let idle = TimeAmount.nanoseconds(Int64(idleLimit / .nanoseconds(1)))
        let client = HTTPClient(
            eventLoopGroupProvider: .singleton, configuration: .init(timeout: .init(connect: idle, read: idle)))
        let result: Result<Void, any Error>
        do {
            try await fetch(url, to: path, client, onPiece)
            result = .success(())
        } catch let error as HTTPClientError where error == .readTimeout {
            result = .failure(DownloadError.stalled(url, after: received, idleLimit: idleLimit))
        } catch {
            result = .failure(error)
        }
        // Also when the task is cancelled: a client has to be shut down.
        _ = await Task { try await client.shutdown() }.result
        try result.get()
    }

    private func fetch(_ url: String, to path: FilePath, _ client: HTTPClient, _ onPiece: () -> Void) async throws {
        // What stands in the way of the file is found out before the first byte is asked for.
        try await replaceFile(at: path) { file in
            // A large file may take its time, as long as it comes: the day is a limit for a server that sends a byte now and then.
            let response = try await client.execute(HTTPClientRequest(url: url), timeout: .hours(24))
            guard response.status == .ok else { throw DownloadError.refused(url, "\(response.status)") }
            total = response.headers.first(name: "content-length").flatMap { Int($0) }
            if let total, total > limit { throw DownloadError.tooLarge(url, limit: limit) }
            for try await piece in response.body {
                guard received + piece.readableBytes <= limit else { throw DownloadError.tooLarge(url, limit: limit) }
                try await file.write(piece)
                received += piece.readableBytes
                pieces += 1
                onPiece()
            }
        }
    }
}

/// Why there is no file.
public enum DownloadError: Error, Equatable {
    /// The server's answer was another one than 200.
    case refused(_ url: String, _ status: String)
    /// It has more bytes than the limit that was set.
    case tooLarge(_ url: String, limit: Int)
    /// The server said nothing for as long as the limit allows, after so many bytes of the file.
    case stalled(_ url: String, after: Int, idleLimit: Duration)
}
