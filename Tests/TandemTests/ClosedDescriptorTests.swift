// SPDX-License-Identifier: Apache-2.0
// ClosedDescriptorTests: descriptors that are closed with a watch on them, and whose numbers other files take. Behaviour 33.

import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.IOTests {
    /// Watches that are begun in a handler, while the turn is here, are found by one poll, not one by one.
    private func inAHandler(of loop: GuestLoop, _ body: @escaping () throws -> Void) throws {
        let begin = try Pipe()
        try begin.write()
        var watch: IOHandle?
        watch = try loop.whenReadable(begin.reader) {
            _ = begin.read()
            watch?.cancel()
            try body()
        }
    }

    /// Behaviour 33, without cancelling first.
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

    /// Behaviour 33, where the loop does not ask, since the descriptor has an owner: its watches end when it closes.
    @Test func aSocketThatAnEarlierHandlerClosedGetsNoHandler() throws {
        try withLoop { host, loop in
            let ends = [try socketPair(), try socketPair()]
            defer { for (near, far) in ends { for end in [near, far] { try? end.close() } } }
            // Other tests open files meanwhile. The kernel gives them the lowest number that is free: not one of these, once it is closed.
            let numbers = ends.map { fcntl($0.0.rawValue, F_DUPFD_CLOEXEC, 900) }
            let sockets = try numbers.map { try GuestSocket(adopting: FileDescriptor(rawValue: $0), on: loop) }
            let other = try Pipe()
            try other.write()
            var ran: [Int] = []
            var watches: [IOHandle] = []
            try inAHandler(of: loop) {
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

    /// Behaviour 33, without cancelling first: between the backend's poll and the tick, or while a report is carried over to the next tick.
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
            try inAHandler(of: loop) {
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

    /// Behaviour 33, without cancelling first: another file takes the number within the batch, and nobody watches that.
    @Test func aNumberThatAnEarlierHandlerGaveToAnotherFileGetsNoHandler() throws {
        try withLoop { host, loop in
            let pipes = [try Pipe(), try Pipe()]
            let other = try Pipe()
            try other.write()
            var ran: [Int] = []
            try inAHandler(of: loop) {
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

    /// Behaviour 33: the number of a closed descriptor, used again.
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
}
