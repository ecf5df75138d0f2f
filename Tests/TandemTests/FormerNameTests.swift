// SPDX-License-Identifier: Apache-2.0
// FormerNameTests: names that calls had before still do what they did; and every handle can be kept as one kind.

import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

/// By way of a protocol, so that the one place that uses deprecated names is deprecated itself and nobody is warned.
private protocol UsesFormerNames {
    func waits(_ loop: GuestLoop, _ pipe: Pipe) async throws -> Int?
    func phase(_ loop: GuestLoop, _ number: Int)
}

private struct FormerNames: UsesFormerNames {
    @available(*, deprecated)
    func waits(_ loop: GuestLoop, _ pipe: Pipe) async throws -> Int? {
        try await loop.writable(pipe.writer)
        try pipe.write()
        try await loop.readable(pipe.reader)
        var sum = 0
        for await step in loop.offload(buffering: .unbounded, { report in for step in 1...4 { report(step) } }) {
            sum += step
        }
        return try await loop.frames(2)?.number == 1 ? sum : nil
    }

    @available(*, deprecated)
    func phase(_ loop: GuestLoop, _ number: Int) {
        loop.run(.update, of: Frame(number: number, time: loop.now, delta: .zero))
    }
}

extension Core {
    @Suite struct FormerNameTests {
        @Test func theFormerNamesDoWhatTheyDid() throws {
            try withLoop { host, loop in
                let pipe = try Pipe()
                let names: any UsesFormerNames = FormerNames()
                var outcome: Result<Int?, any Error>?
                // Safe: the loop's thread is this one.
                nonisolated(unsafe) let (used, ends) = (names, pipe)
                loop.run({ try await used.waits(loop, ends) }) { outcome = $0 }
                let waitsForFrames = host.run { loop.hasFrameWaiters }
                #expect(waitsForFrames)
                for number in 0...1 {
                    names.phase(loop, number)
                    host.tick()
                }
                let hasEnded = host.run { outcome != nil }
                #expect(hasEnded)
                #expect(try outcome?.get() == 10)
            }
        }

        @Test func handlesOfEveryKindAreKeptAsOneAndCalledOff() throws {
            try withLoop { host, loop in
                let pipe = try Pipe()
                try pipe.write()
                var calls = 0
                let handles: [any GuestHandle] = [
                    loop.callSoon { calls += 1 }, loop.callLater(.milliseconds(1)) { calls += 1 },
                    try loop.whenReadable(pipe.reader) { calls += 1 }, loop.everyFrame { _ in calls += 1 },
                    loop.run({ try await loop.sleep(for: .seconds(3600)) }) { _ in },
                ]
                #expect(handles.allSatisfy { !$0.isDone })
                for handle in handles { handle.cancel() }
                let areDone = host.run { handles.allSatisfy(\.isDone) }
                #expect(areDone && calls == 0)
                for handle in handles { handle.cancel() }
            }
        }
    }
}
