// SPDX-License-Identifier: Apache-2.0
// Echo (W5): 64 bytes to and fro over many socket pairs, both ends on the loop, which sleeps when nothing is ready.

import Glibc
import Tandem

@MainActor func echo(_ options: Options) throws {
    let pairs = try options.number("pairs", 100)
    let seconds = try options.number("seconds", 2)
    let size = 64

    let stage = try Stage(options)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
    buffer.initializeMemory(as: UInt8.self, repeating: 1, count: size)
    var trips = 0
    for _ in 0..<pairs {
        let (a, b) = try socketPair()
        try stage.watch(b, options) {
            let count = read(b, buffer, size)
            if count > 0 { write(b, buffer, count) }
        }
        try stage.watch(a, options) {
            guard read(a, buffer, size) == size else { return }
            trips += 1
            write(a, buffer, size)
        }
        guard write(a, buffer, size) == size else { throw Failed("a socket took no message") }
    }
    // The first fifth is warm-up.
    let start = now()
    let length = Int64(seconds) * 1_000_000_000
    while now() < start + length / 5 { stage.rest() }
    let (begin, tripsBefore) = (now(), trips)
    while now() < start + length { stage.rest() }
    let took = now() - begin
    trips -= tripsBefore
    stage.close()
    guard trips > 0 else { throw Failed("nothing came back") }
    metric("round_trips", "per_s", Double(trips) / (Double(took) / 1e9))
}
