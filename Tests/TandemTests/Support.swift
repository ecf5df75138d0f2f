// SPDX-License-Identifier: Apache-2.0
// Support: a loop on a thread of its own, so that tests can run side by side: a thread has one loop at most.

import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

/// What a test writes down; on one thread at a time.
final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

typealias Journal = Box<[String]>

extension Box where Value == [String] {
    func note(_ line: String) { value.append(line) }
}

/// Steps of both threads, in the order in which they were taken.
final class Steps: @unchecked Sendable {
    private let lock = NSLock()
    private var steps: [TraceStep] = []

    func add(_ step: TraceStep) { lock.withLock { steps.append(step) } }
    var all: [TraceStep] { lock.withLock { steps } }
    func clear() { lock.withLock { steps = [] } }
    /// Waits for a step of the other thread's.
    func wait(for step: TraceStep) -> Bool {
        for _ in 0..<20_000 {
            if all.contains(step) { return true }
            usleep(500)
        }
        return false
    }
}

extension Configuration {
    /// A budget that no tick uses up, also where the machine lets its thread wait.
    static var unhurried: Configuration { Configuration(budget: .seconds(20)) }
}

/// Runs `body` with a manual host and an open loop on the calling thread, and closes it.
func withLoop<Value>(
    configuration: Configuration = .unhurried, _ body: (ManualHost, GuestLoop) throws -> Value
) throws -> Value {
    let host = ManualHost()
    let loop = try host.makeLoop(configuration: configuration)
    defer { loop.close() }
    return try body(host, loop)
}

/// For async tests, in which `loop.tick()` itself does not compile. The test makes sure that it is on the loop's thread.
func tickNow(_ loop: GuestLoop, times: Int = 1, budget: Duration? = nil) {
    for _ in 0..<times { loop.tick(budget: budget) }
}

func virtualConfiguration() -> (Configuration, VirtualClock) {
    let clock = VirtualClock()
    var configuration = Configuration.unhurried
    configuration.timeSource = clock
    return (configuration, clock)
}

struct TestError: Error, Equatable {
    let number: Int
    init(_ number: Int = 0) { self.number = number }
}

/// A pipe, closed when it goes.
final class Pipe {
    let reader: FileDescriptor
    let writer: FileDescriptor
    private var isOpen = (reader: true, writer: true)

    init() throws { (reader, writer) = try FileDescriptor.pipe() }
    deinit {
        if isOpen.reader { try? reader.close() }
        if isOpen.writer { try? writer.close() }
    }
    func write(_ text: String = "x") throws { _ = try writer.writeAll(text.utf8) }
    func read() -> Int {
        var buffer = [UInt8](repeating: 0, count: 64)
        return Glibc.read(reader.rawValue, &buffer, 64)
    }
    func closeReader() throws {
        isOpen.reader = false
        try reader.close()
    }
    func closeWriter() throws {
        isOpen.writer = false
        try writer.close()
    }
}

/// Open descriptors of the process.
func openDescriptors() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd"))?.count ?? -1 }

/// Threads of the process that are backends.
func backends() -> Int {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return threads.filter {
        (try? String(contentsOfFile: "/proc/self/task/\($0)/comm", encoding: .utf8)) == "tandem-backend\n"
    }.count
}

extension GuestLoop {
    /// The epoll set's number becomes another file's, which cannot be waited on. A wait that is under way goes on.
    func breakPolling() {
        let spare = open("/dev/null", O_RDONLY)
        dup2(spare, shared.poller.rawValue)
        Glibc.close(spare)
    }

    var hasClosed: Bool { admission.isClosed }
}

/// One after the other: each test keeps its thread busy, which is one of the runtime's few, and some need another one of them.
@Suite(.serialized) struct Core {
    @Suite struct RunTests {}
    @Suite struct TurnAndWakeTests {}
    @Suite struct KeptTurnTests {}
    @Suite struct TickTests {}
    @Suite struct InboxTests {}
    @Suite struct OwnedMemoryTests {}
    @Suite struct TimerTests {}
    @Suite struct IOTests {}
    @Suite struct EndTests {}
    @Suite struct SocketTests {}
    @Suite struct StreamSequenceTests {}
    @Suite struct OutboxTests {}
    @Suite struct MessageTests {}
    @Suite struct PeerLimitTests {}
    @Suite struct ConnectTests {}
    @Suite struct DatagramTests {}
    @Suite struct OffloadTests {}
    @Suite struct SignalTests {}
}
