// SPDX-License-Identifier: Apache-2.0
// Start (W14): from a program that has SDL, until the first callback of an event loop has reached the main thread: time, and memory.

import CBench
import Dispatch
import NIOCore
import NIOPosix

@MainActor private var first: Int64 = 0

@MainActor func start(_ options: Options) throws {
    try startSDL(options)
    let main = try MainQueue(options)
    _ = (bench_resident(), bench_private(), now())
    let (resident, own, begin) = (bench_resident(), bench_private(), now())
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    group.next().execute { DispatchQueue.main.async { MainActor.assumeIsolated { first = now() } } }
    while first == 0 { main.pump() }
    metric("first_callback", "ms", Double(first - begin) / 1e6)
    metric("resident", "KB", bench_resident() - resident)
    metric("private", "KB", bench_private() - own)
}
