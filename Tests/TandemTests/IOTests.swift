// SPDX-License-Identifier: Apache-2.0
// IOTests: descriptors, and what can go wrong with them. Behaviour 32, 34 to 38.

import Foundation
import Glibc
import SystemPackage
import TandemTesting
import Testing

@testable import Tandem

extension Core.IOTests {
    func socketPair() throws -> (FileDescriptor, FileDescriptor) {
        var pair: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
        return (FileDescriptor(rawValue: pair[0]), FileDescriptor(rawValue: pair[1]))
    }

    /// Behaviour 32.
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

    /// Behaviour 32: a hang-up is for whoever waits.
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

    /// Behaviour 34.
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

    /// Behaviour 34. At some of these reports it is checked whether the handler does anything (`IdleHandlers`), which goes on after its return.
    @Test(arguments: [1, 63, 64, 65, 66]) func aWatchMayEndInItsHandlerAndBeReferredToByNobody(last: Int) throws {
        try withLoop { host, loop in
            let pipe = try Pipe()
            var count = 0
            var watch: IOHandle?
            weak var handle: IOHandle?
            watch = try loop.whenReadable(pipe.reader) {
                count += 1
                guard count == last else { return }
                watch?.cancel()
                watch = nil
            }
            handle = watch
            try pipe.write()
            #expect(host.run { count == last })
            host.tick()
            #expect(count == last)
            #expect(handle == nil)
            #expect(loop.statistics.registrations == 0)
        }
    }

    /// Behaviour 34, 35.
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

    /// Behaviour 37.
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
                // A budget that is never spent: on a busy machine a short one ends between two handlers, and the second is reported again.
                while reads < round * 3 { tickNow(loop, budget: .seconds(3600)) }
            }
            // Three reports a round: the idle ones cost nothing.
            let events = loop.statistics.ioEvents
            loop.close()
            exit(events == 300 ? 0 : 4)
        }
    }

    /// Behaviour 38.
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
                    try await loop.waitUntilReadable(reader)
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
    var configuration = Configuration.unhurried
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
