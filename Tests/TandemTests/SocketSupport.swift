// SPDX-License-Identifier: Apache-2.0
// SocketSupport: an async test on a loop of its own.

import Foundation
import Glibc
import Logging
import Synchronization
import TandemTesting
import Testing

@testable import Tandem

/// Runs `body` as a run on a fresh loop until it ends, then closes the loop and looks that the descriptors are as before.
func onLoop<Value: Sendable>(
    configuration: Configuration = .unhurried, _ body: @escaping @Sendable (GuestLoop) async throws -> Value
) throws -> Value {
    try withLoop(configuration: configuration) { host, loop in
        var outcome: Result<Value, any Error>?
        let run = loop.run({ try await body(loop) }) { outcome = $0 }
        // A sanitizer on a busy machine is a hundred times slower than the same code without it.
        if !host.run(within: .seconds(100), until: { outcome != nil }) {
            run.cancel()
            _ = host.run(within: .seconds(2)) { outcome != nil }
            Issue.record("the run did not end within 100 s")
            throw TestError(0)
        }
        return try outcome!.get()
    }
}

/// Bytes in which each piece that is lost, doubled or out of order shows, unless its length is a multiple of 251. Made of
/// whole blocks: a call for each byte takes a sanitizer seconds.
func distinctBytes(_ count: Int) -> [UInt8] {
    let block = (0..<251).map { UInt8($0) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count < count { bytes += block }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// Two connected TCP streams.
func tcpPair(_ loop: GuestLoop) async throws -> (client: TCPStream, server: TCPStream) {
    let listener = try TCPListener(on: loop, at: .loopback(port: 0))
    let client = try await TCPStream.connect(to: listener.localAddress, on: loop)
    return (client, try await listener.accept())
}

/// The error that `body` throws, as Tandem's.
func guestError<Value>(
    _ body: () async throws -> Value, sourceLocation: SourceLocation = #_sourceLocation
) async throws -> GuestError {
    do {
        _ = try await body()
    } catch let error as GuestError {
        return error
    }
    Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    throw TestError(0)
}

/// Lines that a logger got.
final class LogLines: LogHandler, @unchecked Sendable {
    // Safe: written on the UI thread of one test.
    var lines: [String] = []
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { lines.append("\(event.level): \(event.message)") }

    var configuration: Configuration {
        var configuration = Configuration.unhurried
        configuration.logger = Logger(label: "test") { _ in self }
        return configuration
    }
}

/// A number that several threads, or a signal handler, may touch.
final class Number: Sendable {
    private let value = Atomic<Int>(0)
    func store(_ new: Int) { value.store(new, ordering: .sequentiallyConsistent) }
    func load() -> Int { value.load(ordering: .sequentiallyConsistent) }
    /// Returns the sum.
    @discardableResult func add(_ other: Int) -> Int { value.add(other, ordering: .sequentiallyConsistent).newValue }
    func raise(to other: Int) { value.max(other, ordering: .sequentiallyConsistent) }
}
