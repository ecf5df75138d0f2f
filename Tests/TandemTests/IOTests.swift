// SPDX-License-Identifier: Apache-2.0
// IOTests: descriptors, and what can go wrong with them. Conformance 32 to 38.

import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.IOTests {
    private func socketPair() throws -> (FileDescriptor, FileDescriptor) {
        var pair: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
        return (FileDescriptor(rawValue: pair[0]), FileDescriptor(rawValue: pair[1]))
    }

    /// Conformance 32.
    @Test func readableAndWritableAtOnceRunBothHandlersOnce() throws {
        try withLoop { host, loop in
            let (a, b) = try socketPair()
            _ = try b.writeAll("x".utf8)
            var log: [String] = []
            var watches: [IOHandle] = []
            watches.append(
                try loop.whenReadable(a) {
                    log.append("read")
                    watches[0].cancel()
                })
            watches.append(
                try loop.whenWritable(a) {
                    log.append("write")
                    watches[1].cancel()
                })
            #expect(host.run { log.count >= 2 })
            host.tick()
            #expect(log.sorted() == ["read", "write"])
            try a.close()
            try b.close()
        }
    }

    /// Conformance 32: a hang-up is for whoever waits.
    @Test func aHangUpReachesTheReader() throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            var ends = 0
            var watch: IOHandle?
            watch = try loop.whenReadable(pipe.reader) {
                if pipe.read() == 0 {
                    ends += 1
                    watch?.cancel()
                }
            }
            try pipe.closeWriter()
            #expect(host.run { ends == 1 })
        }
    }

    /// Conformance 33, without cancelling first.
    @Test func aDescriptorThatAnEarlierHandlerClosedGetsNoHandler() throws {
        try withLoop { host, loop in
            let pipes = [try Pipe(), try Pipe()]
            var ran: [Int] = []
            for (index, pipe) in pipes.enumerated() {
                try pipe.write()
                _ = try loop.whenReadable(pipe.reader) {
                    ran.append(index)
                    _ = pipe.read()
                    try pipes[1 - index].closeReader()
                }
            }
            #expect(host.run { !ran.isEmpty })
            for _ in 0..<5 { host.tick() }
            #expect(ran.count == 1)
        }
    }

    /// Conformance 33, where the loop does not ask, since the descriptor has an owner: its watches end when it closes.
    @Test func aSocketThatAnEarlierHandlerClosedGetsNoHandler() throws {
        try withLoop { host, loop in
            let ends = [try socketPair(), try socketPair()]
            defer { for (near, far) in ends { for end in [near, far] { try? end.close() } } }
            // Other tests open files meanwhile. The kernel gives them the lowest number that is free: not one of these, once it is closed.
            let numbers = ends.map { fcntl($0.0.rawValue, F_DUPFD_CLOEXEC, 900) }
            let sockets = try numbers.map { try Socket(adopting: FileDescriptor(rawValue: $0), on: loop) }
            let other = try Pipe()
            try other.write()
            var ran: [Int] = []
            var watches: [IOHandle] = []
            let begin = try Pipe()
            try begin.write()
            var beginning: IOHandle?
            // In a handler the turn is here: both are found by one poll, not one by one.
            beginning = try loop.whenReadable(begin.reader) {
                beginning?.cancel()
                for (index, socket) in sockets.enumerated() {
                    _ = try ends[index].1.writeAll("x".utf8)
                    watches.append(
                        try socket.whenReadable {
                            ran.append(index)
                            sockets[1 - index].close()
                            // Another file has its number at once, and something to read.
                            #expect(dup2(other.reader.rawValue, numbers[1 - index]) == numbers[1 - index])
                        })
                }
            }
            #expect(host.run { !ran.isEmpty })
            for _ in 0..<5 { host.tick() }
            let (first, second) = (try #require(ran.first), 1 - (ran.first ?? 0))
            #expect(!ran.contains(second) && watches[second].isDone && !watches[first].isDone)
            #expect(throws: GuestError.self) { _ = try sockets[second].whenReadable {} }
            #expect(loop.statistics.registrations == 1)
            watches[first].cancel()
            close(numbers[second])
        }
    }

    /// A handler that keeps its own socket alive does so until it is cancelled, or the socket closed.
    @Test func aSocketsWatchEndsWithItsSocket() throws {
        try withLoop { host, loop in
            var pair: (UnixStream, UnixStream)? = try UnixStream.pair(on: loop)
            var ran = 0
            let reader = try pair!.0.socket.whenReadable { ran += 1 }
            let writer = try pair!.0.socket.whenWritable { ran += 1 }
            writer.cancel()
            pair = nil
            #expect(reader.isDone)
            for _ in 0..<3 { host.tick() }
            #expect(ran == 0 && loop.statistics.registrations == 0)
        }
    }

    /// Conformance 33, without cancelling first: between the backend's poll and the tick, or while a report is carried over to the next tick.
    @Test func aDescriptorThatIsClosedBeforeItsTickGetsNoHandler() throws {
        try withLoop { host, loop in
            let other = try Pipe()
            try other.write()
            var ran: [Int] = []
            let found = try Pipe()
            try found.write()
            _ = try loop.whenReadable(found.reader) { ran.append(0) }
            // The backend has found it.
            #expect(host.waitForRequest())
            dup2(other.reader.rawValue, found.reader.rawValue)
            host.tick()
            #expect(ran == [])

            let pipes = [try Pipe(), try Pipe(), try Pipe()]
            let begin = try Pipe()
            try begin.write()
            var beginning: IOHandle?
            beginning = try loop.whenReadable(begin.reader) {
                beginning?.cancel()
                for (index, pipe) in pipes.enumerated() {
                    if index < 2 { try pipe.write() }
                    _ = try loop.whenReadable(pipe.reader) {
                        ran.append(index)
                        _ = pipe.read()
                        // Uses up the budget: the other one is carried over.
                        if ran.count == 1 { usleep(5000) }
                    }
                }
            }
            #expect(host.waitForRequest())
            while ran.isEmpty { host.tick(budget: .milliseconds(3)) }
            let carriedOver = 1 - ran[0]
            dup2(other.reader.rawValue, pipes[carriedOver].reader.rawValue)
            // What the next poll finds is not what is carried over.
            try pipes[2].write()
            #expect(host.run { ran.contains(2) })
            #expect(!ran.contains(carriedOver))
        }
    }

    /// Conformance 33, without cancelling first: another file takes the number within the batch, and nobody watches that.
    @Test func aNumberThatAnEarlierHandlerGaveToAnotherFileGetsNoHandler() throws {
        try withLoop { host, loop in
            let pipes = [try Pipe(), try Pipe()]
            let other = try Pipe()
            try other.write()
            var ran: [Int] = []
            let first = try Pipe()
            try first.write()
            var watch: IOHandle?
            // In a handler the turn is here: both are found by one poll, not one by one.
            watch = try loop.whenReadable(first.reader) {
                watch?.cancel()
                for (index, pipe) in pipes.enumerated() {
                    try pipe.write()
                    _ = try loop.whenReadable(pipe.reader) {
                        ran.append(index)
                        _ = pipe.read()
                        dup2(other.reader.rawValue, pipes[1 - index].reader.rawValue)
                    }
                }
            }
            #expect(host.run { !ran.isEmpty })
            for _ in 0..<5 { host.tick() }
            #expect(ran.count == 1)
            #expect(loop.statistics.registrations == 1)
        }
    }

    /// Conformance 33: the number of a closed descriptor, used again.
    @Test func aReusedNumberGetsNoStaleEvent() throws {
        try withLoop { host, loop in
            let first = try Pipe()
            try first.write()
            var log: [String] = []
            let stale = try loop.whenReadable(first.reader) { log.append("old") }
            #expect(host.waitForRequest())
            // The report is in the buffer. The number goes to another pipe before the tick.
            stale.cancel()
            let number = first.reader.rawValue
            let second = try Pipe()
            let duplicate = dup2(second.reader.rawValue, number)
            #expect(duplicate == number)
            _ = try loop.whenReadable(FileDescriptor(rawValue: number)) { log.append("new") }
            host.tick()
            #expect(log.isEmpty)
            #expect(loop.statistics.staleEvents == 1)
            try second.write()
            #expect(host.run { log == ["new"] || log.count > 1 })
            #expect(!log.contains("old"))
        }
    }

    /// Conformance 34.
    @Test func aWatchMayBeRemovedInItsHandlerAndAddedAgain() throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            var count = 0
            var watch: IOHandle?
            func add() throws {
                watch = try loop.whenReadable(pipe.reader) {
                    count += 1
                    _ = pipe.read()
                    watch?.cancel()
                    try add()
                    watch?.cancel()
                    try add()
                }
            }
            try add()
            for round in 1...5 {
                try pipe.write()
                #expect(host.run { count == round })
            }
            #expect(loop.statistics.registrations == 1)
        }
    }

    /// Conformance 34, 35.
    @Test func wrongDescriptorsAreClearErrors() throws {
        try withLoop { _, loop in
            let pipe = try Pipe()
            func code(_ fd: FileDescriptor) -> GuestError? {
                do {
                    _ = try loop.whenReadable(fd) {}
                    return nil
                } catch {
                    return error as GuestError
                }
            }
            let first = try loop.whenReadable(pipe.reader) {}
            let twice = code(pipe.reader)
            #expect(twice?.code == .alreadyRegistered)
            #expect(twice?.context.contains("IOTests.swift") == true)
            first.cancel()
            #expect(code(FileDescriptor(rawValue: -1))?.code == .badDescriptor)
            #expect(code(FileDescriptor(rawValue: 9999))?.errno == .badFileDescriptor)
            let file = try FileDescriptor.open("/etc/hostname", .readOnly)
            #expect(code(file)?.errno == .notPermitted)
            try file.close()
            #expect(loop.statistics.registrations == 0)
        }
    }

    @Test func aDescriptorThatWasClosedUnderItsWatchMayBeRegisteredAnew() throws {
        try withLoop { host, loop in
            let old = try Pipe()
            let new = try Pipe()
            let number = old.reader
            _ = try loop.whenReadable(number) {}
            // In one step, as other tests open descriptors, too: the old file is closed, and the number is the new one's.
            #expect(dup2(new.reader.rawValue, number.rawValue) == number.rawValue)
            var ran = false
            _ = try loop.whenReadable(number) {
                ran = true
                _ = new.read()
            }
            try new.write()
            #expect(host.run { ran })
        }
    }

    /// Conformance 36.
    @Test func unreadDataIsReportedAgainButDoesNotTakeAWholeCore() throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            try pipe.write()
            var count = 0
            _ = try loop.whenReadable(pipe.reader) { count += 1 }
            #expect(host.run { count > 100 })
            // The handler has shown that it does nothing: from now on a report is a matter of milliseconds.
            let before = count
            let end = ContinuousClock.now + .milliseconds(400)
            _ = host.run(within: .milliseconds(400)) { ContinuousClock.now >= end }
            #expect(count - before < 200, "\(count - before) reports in 400 ms")
            #expect(count > before)
            // It has not been given up: as soon as somebody reads, all is well.
            _ = pipe.read()
        }
    }

    /// Conformance 37.
    @Test func fourThousandDescriptorsWithAFewActiveOnes() async {
        await #expect(processExitsWith: .success) {
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(7), &limit)
            limit.rlim_cur = min(limit.rlim_max, 10_000)
            setrlimit(__rlimit_resource_t(7), &limit)
            guard let loop = try? ManualHost().makeLoop() else { exit(1) }
            var pipes: [Pipe] = []
            var reads = 0
            for _ in 0..<4000 {
                guard let pipe = try? Pipe() else { exit(2) }
                pipes.append(pipe)
                guard (try? loop.whenReadable(pipe.reader, { reads += pipe.read() })) != nil else { exit(3) }
            }
            for round in 1...100 {
                for index in 0..<3 { try? pipes[(round * 37 + index * 1301) % 4000].write() }
                while reads < round * 3 { loop.tick() }
            }
            // Three reports a round: the idle ones cost nothing.
            let events = loop.statistics.ioEvents
            loop.close()
            exit(events == 300 ? 0 : 4)
        }
    }

    /// Conformance 38.
    @Test func descriptorExhaustionWhileAcceptingIsReportedAndRecovers() async {
        await #expect(processExitsWith: .success) { exhaust() }
    }

    @Test func aTaskReadsAPipeLineByLine() throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            let reader = pipe.reader
            let total = Box(0)
            loop.run({
                while true {
                    try await loop.readable(reader)
                    var buffer = [UInt8](repeating: 0, count: 8)
                    let count = read(reader.rawValue, &buffer, 8)
                    if count == 0 { break }
                    total.value += count
                }
                total.value = -total.value
            })
            for _ in 0..<50 {
                try pipe.write("abcdef")
                host.tick()
            }
            try pipe.closeWriter()
            #expect(host.run { total.value == -300 })
            // The entry that stays for the next wait is silent, and goes with the descriptor.
            #expect(loop.statistics.registrations <= 1)
        }
    }
}

/// In a process of its own: a listener whose handler meets the limit of descriptors.
private func exhaust() {
    let errors = Box(0)
    var configuration = Configuration()
    configuration.errorHandler = { _, _ in errors.value += 1 }
    let host = ManualHost()
    guard let loop = try? host.makeLoop(configuration: configuration) else { exit(1) }
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // An abstract name: nothing is left on disk.
    withUnsafeMutableBytes(of: &address.sun_path) { path in
        for (index, byte) in "\0tandem-\(getpid())".utf8.enumerated() { path[index] = byte }
    }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    func withAddress(_ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
    }
    guard withAddress({ bind(listener, $0, size) }) == 0, listen(listener, 8) == 0 else { exit(2) }
    var accepted: [Int32] = []
    guard
        (try? loop.whenReadable(FileDescriptor(rawValue: listener)) {
            let connection = accept(listener, nil, nil)
            if connection < 0 { throw Errno(rawValue: errno) }
            accepted.append(connection)
        }) != nil
    else { exit(3) }
    let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(7), &limit)
    let before = limit
    limit.rlim_cur = rlim_t(client + 1)
    setrlimit(__rlimit_resource_t(7), &limit)
    guard withAddress({ connect(client, $0, size) }) == 0 else { exit(4) }
    guard host.run(until: { errors.value >= 3 }) else { exit(5) }
    var restored = before
    setrlimit(__rlimit_resource_t(7), &restored)
    guard host.run(until: { accepted.count == 1 }) else { exit(6) }
    loop.close()
    exit(0)
}
