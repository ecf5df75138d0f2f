// SPDX-License-Identifier: Apache-2.0
// CallFuzzTests: twenty thousand sequences of calls, the same at every run, each beside a reference.

import CallFuzz
import Testing

extension Core {
    @Suite struct CallFuzzTests {
        /// SplitMix64.
        private struct Chance {
            var state: UInt64

            mutating func next() -> UInt64 {
                state &+= 0x9E37_79B9_7F4A_7C15
                var z = state
                z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
                z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
                return z ^ (z >> 31)
            }
        }

        private func bytes(_ seed: UInt64) -> [UInt8] {
            var chance = Chance(state: seed)
            let length = 4 + Int(chance.next() % 60)
            return (0..<length).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
        }

        private func report(_ bytes: [UInt8], _ what: String, _ name: String) {
            let short = CallFuzz.shrunk(bytes)
            Issue.record(
                """
                \(name): \(what)
                In short: \(CallFuzz.play(short) ?? "(does not fail every time)")
                \(CallSequence(short))
                Bytes: \(short)
                """)
        }

        @Test func twentyThousandSequencesOfCallsDoWhatTheReferenceDoes() {
            for seed in 0..<20_000 as Range<UInt64> {
                let bytes = bytes(seed)
                if let what = CallFuzz.play(bytes) { return report(bytes, what, "seed \(seed)") }
            }
        }

        /// Sequences that were wrong once, in the loop or in what was thought of it, and such as a generator finds seldom.
        private static let corpus: [(String, [UInt8])] = [
            ("nothing", []),
            (
                "a close in a timer, with timers, callbacks and posts behind it",
                [0, 1, 3, 14, 0, 0, 1, 0, 2, 0, 4, 0, 15, 1, 9]
            ),
            ("a timer of no time, armed in a callback", [2, 3, 0, 0, 0, 9]),
            ("a callback that cancels the one behind it", [2, 3, 6, 1, 2, 0, 9]),
            ("a callback that throws before its last step", [2, 5, 8, 2, 0, 9, 2, 0, 9]),
            ("a tick in a callback in a callback", [2, 3, 2, 3, 9, 9]),
            ("a post in a callback, another in that", [2, 3, 4, 3, 4, 0, 9]),
            ("a post from another thread before one of this", [8, 0, 4, 0, 9]),
            ("a reader closed with its data unread, and its number used again", [18, 19, 0, 20, 0, 18, 19, 1, 17]),
            ("a watch cancelled with its data unread", [18, 19, 0, 14, 1, 0, 17]),
            ("a task cancelled before its first step", [10, 3, 11, 0, 17]),
            ("a task cancelled in the tick in which it is due", [10, 0, 2, 3, 11, 0, 17]),
            ("a scene ended before its callback", [21, 3, 9, 12, 0, 15, 5, 17]),
            ("a clock paused over a deadline", [22, 2, 13, 0, 15, 5, 17, 13, 1, 15, 5, 17]),
            ("a close while a task sleeps and a post waits", [10, 3, 9, 4, 0, 14, 0]),
            ("calls after the close", [14, 0, 0, 1, 0, 2, 0, 4, 0, 10, 1, 9]),
        ]

        @Test func theSequencesOfTheCorpusDoWhatTheReferenceDoes() {
            for (name, bytes) in Self.corpus {
                if let what = CallFuzz.play(bytes) { report(bytes, what, name) }
            }
        }
    }
}
