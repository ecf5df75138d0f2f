// SPDX-License-Identifier: Apache-2.0
// PoolTests: what FlyingFox asks of a pool.

import FlyingSocks
import Foundation
import Tandem
import TandemFlyingFox
import Testing

import struct FlyingSocks.Socket

extension OneAfterAnother {
    @Suite struct PoolTests {
        /// Waits until the loop watches so many descriptors.
        private func registrations(_ loop: GuestLoop, reach wanted: Int) async throws {
            for _ in 0..<20_000 {
                if await count(loop) == wanted { return }
                try await Task.sleep(for: .milliseconds(1))
            }
            Issue.record("the loop watches \(await count(loop)) descriptors; expected \(wanted)")
        }

        private func count(_ loop: GuestLoop) async -> Int {
            await withCheckedContinuation { done in
                do { try loop.post { done.resume(returning: loop.statistics.registrations) } } catch {
                    done.resume(returning: -1)
                }
            }
        }

        private func pair() throws -> (Socket, Socket) {
            var numbers: [Int32] = [0, 0]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers) == 0)
            let sockets = numbers.map { Socket(file: .init(rawValue: $0)) }
            for socket in sockets { try socket.setFlags(.nonBlocking) }
            return (sockets[0], sockets[1])
        }

        @Test func oneSocketIsReadByOneTaskAndWrittenByAnother() async throws {
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                let (a, b) = try pair()
                let left = try AsyncSocket(socket: a, pool: pool)
                let right = try AsyncSocket(socket: b, pool: pool)
                let data = Data((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
                // Both ways at once, far more than the kernel's buffers take: each side waits for both directions.
                async let fromLeft: Void = left.write(data)
                async let fromRight: Void = right.write(data)
                async let atRight = right.read(bytes: data.count)
                async let atLeft = left.read(bytes: data.count)
                #expect(try await atRight == Array(data))
                #expect(try await atLeft == Array(data))
                _ = try await (fromLeft, fromRight)
                try a.close()
                try b.close()
            }
        }

        @Test func severalTasksWaitForTheSame() async throws {
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                let (a, b) = try pair()
                let waits = (0..<8).map { _ in Task { try await pool.suspendSocket(a, untilReadyFor: .read) } }
                try await registrations(loop, reach: 1)
                _ = try b.write(Data([1]))
                for wait in waits { try await wait.value }
                try a.close()
                try b.close()
            }
        }

        @Test func whoFollowsACancelledWaitLooksAgain() async throws {
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                let (a, b) = try pair()
                let socket = try AsyncSocket(socket: a, pool: pool)
                let first = Task { try await pool.suspendSocket(a, untilReadyFor: .read) }
                try await registrations(loop, reach: 1)
                let second = Task { try await socket.read() }
                first.cancel()
                await #expect(throws: CancellationError.self) { try await first.value }
                _ = try b.write(Data([7]))
                #expect(try await second.value == 7)
                try a.close()
                try b.close()
            }
        }

        @Test func aCancelledWaitLeavesNoWatch() async throws {
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                let (a, b) = try pair()
                for events: Socket.Events in [.read, [.read, .write]] {
                    // Full, so that it cannot be written.
                    while (try? a.write(Data(count: 4096))) != nil {}
                    let wait = Task { try await pool.suspendSocket(a, untilReadyFor: events) }
                    try await registrations(loop, reach: 1)
                    wait.cancel()
                    await #expect(throws: CancellationError.self) { try await wait.value }
                    try await registrations(loop, reach: 0)
                }
                try a.close()
                try b.close()
            }
        }

        @Test func ofTwoEventsTheFirstOneEndsTheWait() async throws {
            try await withLoop { loop in
                let (a, b) = try pair()
                try await GuestSocketPool(loop).suspendSocket(a, untilReadyFor: [.read, .write])
                try await registrations(loop, reach: 0)
                try a.close()
                try b.close()
            }
        }

        @Test func aNumberThatIsUsedAgainDoesNotFollowTheClosedSocket() async throws {
            try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                let (a, b) = try pair()
                let abandoned = Task { try await pool.suspendSocket(a, untilReadyFor: .read) }
                try await registrations(loop, reach: 1)
                // Another socket takes over the number in one step.
                let (c, d) = try pair()
                try #require(dup2(c.file.rawValue, a.file.rawValue) >= 0)
                let wait = Task { try await pool.suspendSocket(a, untilReadyFor: .read) }
                await #expect(throws: SocketError.disconnected) { try await abandoned.value }
                _ = try d.write(Data([1]))
                try await wait.value
                for socket in [a, b, c, d] { try socket.close() }
            }
        }

        @Test func aClosedSocketIsDisconnected() async throws {
            try await withLoop { loop in
                let (a, b) = try pair()
                try a.close()
                try b.close()
                await #expect(throws: SocketError.disconnected) {
                    try await GuestSocketPool(loop).suspendSocket(a, untilReadyFor: .read)
                }
            }
        }

        @Test func thePoolEndsWithItsLoop() async throws {
            let (a, b) = try pair()
            let pool = try await withLoop { loop in
                let pool = GuestSocketPool(loop)
                try await pool.prepare()
                return (
                    pool, Task { try await pool.run() }, Task { try await pool.suspendSocket(a, untilReadyFor: .read) }
                )
            }
            await #expect(throws: (any Error).self) { try await pool.1.value }
            await #expect(throws: (any Error).self) { try await pool.2.value }
            await #expect(throws: GuestError.self) { try await pool.0.prepare() }
            try a.close()
            try b.close()
        }
    }
}
