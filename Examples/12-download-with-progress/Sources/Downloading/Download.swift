// SPDX-License-Identifier: Apache-2.0
// Download: a file from the network, piece by piece, as the game sees it.
// Owner:  the main actor. The network's threads are the client's.

import AsyncHTTPClient
public import SystemPackage

/// A download whose progress a frame may read.
@MainActor public final class Download {
    /// How many bytes have come.
    public private(set) var received = 0
    /// How many there will be; `nil` until the server has said so, and if it does not.
    public private(set) var total: Int?
    /// Pieces that have come.
    public private(set) var pieces = 0

    /// A download that has not begun.
    public init() {}

    /// 0…1; 0 as long as the length is not known.
    public var fraction: Double { total.map { $0 == 0 ? 1 : Double(received) / Double($0) } ?? 0 }

    /// Fetches `url` and puts it at `path`, in one step when it is complete: a download that fails or is cancelled leaves what was there.
    ///
    /// - Parameter onPiece: called on the main actor after each piece.
    public func run(_ url: String, to path: FilePath, onPiece: () -> Void = {}) async throws {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
        guard response.status == .ok else { throw DownloadError.refused(url, "\(response.status)") }
        total = response.headers.first(name: "content-length").flatMap { Int($0) }
        try await replaceFile(at: path) { file in
            for try await piece in response.body {
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
}
