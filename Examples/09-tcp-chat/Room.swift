// SPDX-License-Identifier: Apache-2.0
// Room: guests who talk, seen from the side that strangers connect to.
// Idea:   whatever a guest does costs the room a bounded amount. At most a hundred guests; a line has at most 500 bytes; what a guest has yet to
//         read is at most a hundred lines, of which the oldest give way (and the guest is told how many); who takes no byte for ten seconds, or for two
//         after the last word, is shown out. Lines are said without control characters: they would be orders to a terminal.
// Owner:  the main actor.

import Tandem

@MainActor final class Room {
    private let loop: GuestLoop
    private var outboxes: [Int: Outbox] = [:]
    private var count = 0

    init(_ loop: GuestLoop) { self.loop = loop }

    func serve(_ stream: TCPStream) async {
        defer { stream.close() }
        guard outboxes.count < 100 else {
            // A new connection has room for so little: this does not wait.
            try? await stream.write("the room is full\n")
            return
        }
        count += 1
        let (key, name) = (count, "guest \(count)")
        let outbox = Outbox()
        outboxes[key] = outbox
        say("\(name) has come")
        async let writing: Void = write(outbox, to: stream)
        do {
            for try await line in stream.lines(maximumLength: 500) { say("\(name): \(printable(line))") }
            say("\(name) has left")
        } catch {
            say("\(name) was lost")
        }
        outboxes[key] = nil
        outbox.finish()
        // Whoever does not read would keep the descriptor, and what is on its way, for ever.
        let goodbye = Task.isCancelled ? nil : loop.callLater(.seconds(2)) { stream.close() }
        await writing
        goodbye?.cancel()
    }

    func say(_ line: String) {
        for outbox in outboxes.values { outbox.append(line) }
    }

    private func write(_ outbox: Outbox, to stream: TCPStream) async {
        for await _ in outbox.news {
            while let text = outbox.next() {
                let limit = loop.callLater(.seconds(10)) { stream.close() }
                defer { limit.cancel() }
                // Then there is nothing to be read either.
                guard (try? await stream.write(text + "\n")) != nil else { return stream.close() }
            }
        }
    }
}

/// What one guest has yet to read.
@MainActor private final class Outbox {
    private var lines: [String] = []
    private var missed = 0
    /// An element when there is something to write; ends with the last word.
    let news: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init() { (news, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func append(_ line: String) {
        if lines.count == 100 {
            lines.removeFirst()
            missed += 1
        }
        lines.append(line)
        signal.yield()
    }

    func finish() { signal.finish() }

    func next() -> String? {
        guard !lines.isEmpty else { return nil }
        guard missed == 0 else {
            defer { missed = 0 }
            return "(you missed \(missed) lines)"
        }
        return lines.removeFirst()
    }
}

/// `text` without what would steer a terminal, or turn the order of what follows.
func printable(_ text: String) -> String {
    let unwanted: Set<Unicode.GeneralCategory> = [.control, .format, .lineSeparator, .paragraphSeparator]
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        result.append(unwanted.contains(scalar.properties.generalCategory) ? "\u{FFFD}" : scalar)
    }
    return String(result)
}
