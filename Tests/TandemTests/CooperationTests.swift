// SPDX-License-Identifier: Apache-2.0
// CooperationTests: tasks whose awaits are all ready let others run. Behaviour 65.

import Glibc
import TandemTesting
import Testing

@testable import Tandem

/// How much is done in one go: between two passes of the loop, as a callback sees it that runs in each.
private final class Turns: @unchecked Sendable {
    // Safe: UI thread only.
    private let loop: GuestLoop
    private(set) var done = 0
    private var doneBefore = 0
    private(set) var longest = 0
    var isOver = false

    init(_ loop: GuestLoop) {
        self.loop = loop
        look()
    }

    func count() { done += 1 }

    private func look() {
        longest = max(longest, done - doneBefore)
        doneBefore = done
        if !isOver { loop.callSoon { [self] in look() } }
    }
}

extension Core {
    @Suite struct CooperationTests {
        @Test(arguments: [
            "lines", "chunks", "reads", "writes", "datagrams", "connections", "steps", "beats", "conditions",
            "checkpoints", "foreign",
        ])
        func whatIsReadyAtOnceTakesTurns(what: String) throws {
            try onLoop { loop in
                let many = 1000
                let (one, other) = try UnixStream.pair(on: loop)
                try await other.write([UInt8](repeating: UInt8(ascii: "\n"), count: many))
                let (receiver, sender) = (try UDPSocket(on: loop, at: .loopback(port: 0)), try UDPSocket(on: loop))
                try receiver.set(.receiveBufferSize, to: 1_000_000)
                let listener = try TCPListener(on: loop, at: .loopback(port: 0))
                var clients: [TCPStream] = []
                if what == "connections" {
                    for _ in 0..<300 {
                        clients.append(try await TCPStream.connect(to: listener.localAddress, on: loop))
                    }
                }
                if what == "datagrams" {
                    for _ in 0..<300 { try await sender.send("x", to: receiver.localAddress) }
                }
                let work = loop.offloadSteps(buffering: .unbounded) { report in for step in 1...many { report(step) } }
                try await work.value
                let (stream, continuation) = AsyncStream<Int>.makeStream()
                for number in 1...many { continuation.yield(number) }
                continuation.finish()
                let timer = loop.clock.timer(every: .nanoseconds(1))
                // What came before has used some of this job's units.
                try await loop.sleep(for: .zero)
                let turns = Turns(loop)
                switch what {
                case "lines":
                    for try await _ in one.lines.prefix(many) { turns.count() }
                case "chunks":
                    for try await _ in one.chunks(upTo: 1).prefix(many) { turns.count() }
                case "reads":
                    for _ in 0..<many {
                        _ = try await one.read(exactly: 1)
                        turns.count()
                    }
                case "writes":
                    // As many as the kernel keeps for a peer that reads nothing.
                    for _ in 0..<200 {
                        try await one.write("x")
                        turns.count()
                    }
                case "datagrams":
                    for _ in 0..<300 {
                        _ = try await receiver.receive()
                        turns.count()
                    }
                case "connections":
                    for try await _ in listener.connections.prefix(300) { turns.count() }
                case "steps":
                    for await _ in work { turns.count() }
                case "beats":
                    for try await _ in timer.prefix(many) { turns.count() }
                case "conditions":
                    for _ in 0..<many {
                        try await loop.waitUntil { true }
                        turns.count()
                    }
                case "checkpoints":
                    for _ in 0..<many {
                        try await loop.checkpoint()
                        turns.count()
                    }
                default:
                    for await _ in stream.cooperative(on: loop) { turns.count() }
                }
                turns.isOver = true
                #expect(turns.done >= 200)
                #expect((1...CooperativeBudget.units).contains(turns.longest), "\(turns.longest) in one go")
                withExtendedLifetime((other, clients)) {}
            }
        }

        /// The units are many where each is long: the time is what counts then.
        @Test func aTaskWhoseStepsAreLongGoesToTheEndOfTheLineSooner() throws {
            try onLoop { loop in
                let turns = Turns(loop)
                for _ in 0..<20 {
                    usleep(200)
                    try await loop.checkpoint()
                    turns.count()
                }
                turns.isOver = true
                #expect((1...2).contains(turns.longest))
            }
        }

        /// In virtual time the order is the same at each run, whatever the machine does meanwhile.
        @Test func inVirtualTimeOnlyUnitsCount() throws {
            let (configuration, _) = virtualConfiguration()
            try onLoop(configuration: configuration) { loop in
                let turns = Turns(loop)
                for _ in 0..<CooperativeBudget.units {
                    usleep(50)
                    try await loop.checkpoint()
                    turns.count()
                }
                #expect(turns.longest == 0)
                try await loop.checkpoint()
                turns.isOver = true
                #expect(turns.longest == CooperativeBudget.units)
            }
        }

        @Test func aCheckpointSeesACancellationAndACooperativeSequenceGoesOn() throws {
            try onLoop { loop in
                let (stream, continuation) = AsyncStream<Int>.makeStream()
                let task = Task(executorPreference: loop) {
                    await #expect(throws: CancellationError.self) {
                        while true { try await loop.checkpoint() }
                    }
                    for number in 1...5 { continuation.yield(number) }
                    continuation.finish()
                }
                try await loop.sleep(for: .milliseconds(1))
                task.cancel()
                await task.value
                var numbers: [Int] = []
                for await number in stream.cooperative(on: loop) { numbers.append(number) }
                #expect(numbers == [1, 2, 3, 4, 5])
                // Elsewhere it keeps nobody.
                await Task.detached {
                    for _ in 0..<1000 { try? await loop.checkpoint() }
                }.value
                #expect(loop.statistics.waitsHandedOver == 0)
            }
        }

        /// A task at the end of the line is resumed by the end of its loop, too.
        @Test func closingTheLoopLeavesNoTaskAtTheEndOfTheLine() throws {
            let outcome = Box("")
            try withLoop { host, loop in
                loop.run({
                    while true { try await loop.checkpoint() }
                }) { outcome.value = "\($0)" }
                host.tick(budget: .zero)
                host.tick(budget: .zero)
                loop.close()
            }
            #expect(outcome.value == "failure(Swift.CancellationError())")
        }

        /// Frames of 4 ms for the loop, twenty peers that send newlines without end, one that asks and waits for its answer.
        @Test func aModestPeerIsAnsweredWithinTwoFramesBesideTwentyGreedyOnes() throws {
            try withLoop(configuration: Configuration(budget: .milliseconds(4))) { host, loop in
                let lines = Box(0)
                var greedy: [UnixStream] = []
                let block = [UInt8](repeating: UInt8(ascii: "\n"), count: 65_536)
                for _ in 0..<20 {
                    let (one, other) = try UnixStream.pair(on: loop)
                    greedy.append(other)
                    loop.run({ for try await _ in one.lines { lines.value += 1 } })
                }
                func feed() {
                    for stream in greedy {
                        _ = try? stream.socket.attempt { send($0, block, block.count, Int32(MSG_DONTWAIT)) }
                    }
                }
                let (modest, client) = try UnixStream.pair(on: loop)
                loop.run({ for try await line in modest.lines { try await modest.write(line) } })
                var frames: [Int] = []
                for _ in 0..<21 {
                    feed()
                    _ = try client.socket.attempt { send($0, "x\n", 2, 0) }
                    var count = 0
                    var byte: UInt8 = 0
                    repeat {
                        // The rest of the frame.
                        usleep(2000)
                        host.tick()
                        count += 1
                    } while try client.socket.attempt { recv($0, &byte, 1, Int32(MSG_DONTWAIT)) } != 1 && count < 1000
                    frames.append(count)
                }
                // In the median: the machine may take a whole frame away from this thread.
                #expect(frames.sorted()[10] <= 2, "frames until the answer: \(frames)")
                // The greedy ones were served as well; a sanitizer makes it less.
                #expect(lines.value > 1_000)
                withExtendedLifetime(greedy) {}
            }
        }
    }
}
