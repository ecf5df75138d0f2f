// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

final class Log: @unchecked Sendable { var l: [String] = []; func append(_ s: String) { l.append(s) }; func contains(_ s: String) -> Bool { l.contains(s) }; var isEmpty: Bool { l.isEmpty } }

@Suite struct SmokeTests {
    @Test func everythingRuns() throws {
        let host = ManualHost()
        let loop = try host.makeLoop()
        let log = Log()
        loop.callSoon { log.append("soon") }
        loop.callLater(.milliseconds(5)) { log.append("later") }
        let (r, w) = try FileDescriptor.pipe()
        let (r2, w2) = try FileDescriptor.pipe()
        let handle = try loop.whenReadable(r) {
            var b: UInt8 = 0
            _ = read(r.rawValue, &b, 1)
            log.append("read")
        }
        var done: Result<Int, any Error>?
        let thread = pthread_self()
        loop.run({
            try await loop.sleep(for: .milliseconds(10))
            precondition(pthread_self() == thread)
            async let a = { try await loop.sleep(for: .milliseconds(2)); precondition(pthread_self() == thread); return 20 }()
            async let b = { try await loop.sleep(for: .milliseconds(3)); precondition(pthread_self() == thread); return 22 }()
            try await loop.readable(r2)
            return try await a + b
        }) { done = $0 }
        #expect(log.isEmpty)
        #expect(host.run { log.contains("later") })
        Thread.detachNewThread { try? loop.post { log.append("posted"); } ; _ = write(w.rawValue, "x", 1) }
        #expect(host.run { log.contains("posted") && log.contains("read") })
        handle.cancel()
        _ = write(w2.rawValue, "x", 1)
        #expect(host.run { done != nil })
        #expect(try done?.get() == 42)
        print(log.l, loop.statistics.hintsPosted, loop.statistics.wakePipeWrites, loop.statistics.latency.p50)
        loop.close()
        loop.close()
        try r.close()
        try w.close()
    }
}
