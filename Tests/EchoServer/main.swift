// SPDX-License-Identifier: Apache-2.0
// EchoServer: sends back what comes, over TCP and a Unix socket, for `.ci/exchange` to talk to with programs that know nothing of Tandem.
// Prints where it listens; ends on SIGTERM, and says whether anything was left behind.
//
// EchoServer PATH-OF-THE-UNIX-SOCKET

import Foundation
import Glibc
import Tandem

let path = CommandLine.arguments.dropFirst().first ?? "@tandem-echo-\(getpid())"

/// Line by line, also into a file.
func say(_ line: String) { try? FileHandle.standardOutput.write(contentsOf: Data((line + "\n").utf8)) }
func descriptors() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? 0 }

/// One connection, with one buffer for all of its life.
func echo(_ stream: some SocketStream) async throws -> Int {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    defer { buffer.deallocate() }
    var total = 0
    while true {
        let count = try await stream.read(into: buffer)
        if count == 0 { break }
        try await stream.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        total += count
    }
    try stream.closeWrite()
    return total
}

let host = try HeadlessHost()
let loop = host.loop
let before = descriptors()

/// Each connection is a run of its own.
func serve<Stream>(_ connections: Connections<Stream>) async throws {
    for try await stream in connections {
        loop.run {
            defer { stream.close() }
            return try await echo(stream)
        } onDone: { result in
            switch result {
            case .success(let bytes): say("echoed \(bytes) bytes")
            case .failure(let error): say("a connection ended: \(error)")
            }
        }
    }
}

let tcp = try TCPListener(on: loop, at: .loopback(port: 0))
let unix = try UnixListener(on: loop, at: path)
loop.run { try await serve(tcp.connections) }
loop.run { try await serve(unix.connections) }
loop.run {
    for try await _ in try loop.signals(.terminate, .interrupt) { break }
} onDone: { _ in
    host.stop()
}
say("tcp \(tcp.port)")
say("unix \(path)")
host.run()
tcp.close()
unix.close()
_ = host.run(within: .milliseconds(50)) { false }
let after = descriptors()
say("descriptors \(before) before, \(after) after")
host.close()
exit(after <= before ? 0 : 1)
