// SPDX-License-Identifier: Apache-2.0
// Room: guests who talk, seen from the side that strangers connect to.
// Idea:   whatever a guest does costs the room a bounded amount. At most a hundred guests; a line has at most 500 bytes; who says more than fifty
//         lines in a second is shown out, with all that has arrived and was not read: each line costs as much as there are guests. What a guest
//         has yet to read is at most 60,000 bytes, of which the oldest lines give way (and the guest is told how many); who takes no byte for ten
//         seconds, or for two after the last word, is shown out. Lines are said without control characters: they would be orders to a terminal.
// Owner:  the main actor.

import Tandem

@MainActor final class Room {
    private var outboxes: [Int: Outbox] = [:]
    private var count = 0

    func serve(_ stream: TCPStream) async throws {
        guard outboxes.count < 100 else {
            stream.close(saying: "the room is full\n")
            return
        }
        let overflow = Outbox.Overflow.dropOldest { "(you missed \($0) lines)\n" }
        let outbox = try Outbox(stream, capacity: 60_000, whenFull: overflow, stallLimit: .seconds(10))
        count += 1
        let (key, name) = (count, "guest \(count)")
        outboxes[key] = outbox
        say("\(name) has come")
        do {
            var second = (start: ContinuousClock.now, lines: 0)
            for try await line in stream.lines(maximumLength: 500) {
                let now = ContinuousClock.now
                second = now - second.start < .seconds(1) ? (second.start, second.lines + 1) : (now, 1)
                guard second.lines <= 50 else {
                    outbox.send("you talk too fast\n")
                    break
                }
                say("\(name): \(printable(line))")
            }
            say("\(name) has left")
        } catch {
            say("\(name) was lost")
        }
        outbox.finish()
        // Until then the guest counts.
        try? await outbox.flush()
        outboxes[key] = nil
    }

    func say(_ line: String) {
        let line = Array((line + "\n").utf8)
        for outbox in outboxes.values { outbox.send(line) }
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
