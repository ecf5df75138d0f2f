// SPDX-License-Identifier: Apache-2.0
// LoopParts: what the loop itself does with the kernel: time, posts, descriptors, signals, other threads.
// Owner:  the main actor, but for the threads that post.

import Foundation
import Glibc
import SystemPackage
import Tandem

extension Stage {
    func expectTime() {
        for delay in [1, 3, 70] {
            expect("a sleep of \(delay) ms") { [loop] in
                let deadline = loop.now + .milliseconds(delay)
                try await loop.sleep(until: deadline)
                if ContinuousClock.now < deadline { throw Wrong(text: "it was early") }
            }
        }
        expect("an interval") { [loop] in
            var count = 0
            for try await _ in loop.clock.timer(every: .milliseconds(2)) {
                count += 1
                if count == 3 { break }
            }
        }
        expect("a time limit") { [loop] in
            do {
                try await loop.withTimeout(.milliseconds(2)) { try await loop.sleep(for: .seconds(3600)) }
                throw Wrong(text: "it did not end the sleep")
            } catch is TimeoutError {}
        }
    }

    func expectPosts() {
        for thread in 1...2 {
            expect("posts of thread \(thread)") { [loop] in
                let (numbers, continuation) = AsyncStream.makeStream(of: Int.self)
                Thread.detachNewThread {
                    for number in 1...30 {
                        do {
                            try loop.post { continuation.yield(number) }
                        } catch { return }
                        if number % 10 == 0 { usleep(1000) }
                    }
                }
                var last = 0
                for await number in numbers {
                    if number != last + 1 { throw Wrong(text: "post \(number) came after \(last)") }
                    last = number
                    if last == 30 { return }
                }
                try Task.checkCancellation()
            }
        }
    }

    func expectPostsAndTime() {
        expectPosts()
        expectTime()
    }

    func expectPostsAndPipes() {
        expectPosts()
        expectPipes()
    }

    func expectPipes() {
        expect("a pipe") { [loop] in
            let pipe = try FileDescriptor.pipe(options: .nonBlocking)
            defer { _ = (try? pipe.readEnd.close(), try? pipe.writeEnd.close()) }
            try await loop.waitUntilWritable(pipe.writeEnd)
            loop.callLater(.milliseconds(2)) { _ = try pipe.writeEnd.writeAll([7]) }
            try await loop.waitUntilReadable(pipe.readEnd)
            var bytes: [UInt8] = [0]
            _ = try bytes.withUnsafeMutableBytes { try pipe.readEnd.read(into: $0) }
            if bytes != [7] { throw Wrong(text: "\(bytes) was read") }
        }
        expect("a handler of a pipe") { [loop] in
            let pipe = try FileDescriptor.pipe(options: .nonBlocking)
            defer { _ = (try? pipe.readEnd.close(), try? pipe.writeEnd.close()) }
            let (counts, continuation) = AsyncStream.makeStream(of: Int.self)
            let handle = try loop.whenReadable(pipe.readEnd) {
                continuation.yield(
                    try withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { try pipe.readEnd.read(into: $0) })
            }
            defer { handle.cancel() }
            loop.callLater(.milliseconds(1)) { _ = try pipe.writeEnd.writeAll([1, 2, 3]) }
            loop.callLater(.milliseconds(3)) { _ = try pipe.writeEnd.writeAll([4]) }
            var sum = 0
            for await count in counts {
                sum += count
                if sum == 4 { return }
            }
            try Task.checkCancellation()
        }
        // Nobody serves it: the loop looks what its handler does.
        expect("a handler that does nothing") { [loop] in
            let pipe = try FileDescriptor.pipe(options: .nonBlocking)
            defer { _ = (try? pipe.readEnd.close(), try? pipe.writeEnd.close()) }
            _ = try pipe.writeEnd.writeAll([1])
            let handle = try loop.whenReadable(pipe.readEnd) {}
            try await loop.sleep(for: .milliseconds(20))
            handle.cancel()
        }
    }

    func expectSignals() {
        expect("signals") { [loop] in
            // Of the program's own, and called where nobody takes a signal any more: a loop that has failed takes none, and the
            // next one, whose timer is set already, would end the probe.
            signal(SIGUSR1) { _ in }
            signal(SIGUSR2) { _ in }
            var count = 0
            let signals = try loop.signals(.user1, .user2)
            loop.callLater(.milliseconds(1)) { raise(SIGUSR1) }
            for try await signal in signals {
                count += 1
                if count == 3 { break }
                loop.callLater(.milliseconds(1)) { raise(signal == .user1 ? SIGUSR2 : SIGUSR1) }
            }
        }
    }

    func expectOffloads() {
        for number in 1...3 {
            expect("work elsewhere \(number)") { [loop] in
                let answer = try await loop.offload {
                    usleep(1000); return number * 2
                }
                if answer != number * 2 { throw Wrong(text: "it gave \(answer)") }
            }
        }
        expect("steps of work elsewhere") { [loop] in
            let steps = loop.offloadSteps(buffering: .unbounded) { send -> Int in
                for step in 1...3 { send(step) }
                return 4
            }
            var seen: [Int] = []
            for await step in steps { seen.append(step) }
            let value = try await steps.value
            if seen + [value] != [1, 2, 3, 4] { throw Wrong(text: "it gave \(seen) and \(value)") }
        }
    }

    func expectBlockedThread() {
        expect("a callback that blocks") { [loop] in
            loop.callSoon { usleep(40_000) }
            try await loop.sleep(for: .milliseconds(60))
        }
    }
}
