// SPDX-License-Identifier: Apache-2.0
// LeastStart (W14): from a program that has SDL until the first callback, by what a loop of two threads needs at least: an executor, an inbox, a set, timers, a
//                   kind of SDL event, and a thread that has begun to run.
// Owner:  the main thread.

import CBench
import CLimits
import CSDL
import Glibc

@MainActor func leastStart(_ options: Options) throws {
    try startSDL(options)
    // What asking costs is paid before.
    _ = (bench_resident(), bench_private(), now())
    let (resident, own, begin) = (bench_resident(), bench_private(), now())
    let ready = Ready.install(.mainActor)
    let (timers, inbox, poller) = (LeastTimers(), LeastInbox(), LeastPoller())
    guard SDL_RegisterEvents(1) != UInt32.max else { throw Failed("SDL has no kind of event left") }
    var first: Int64 = 0
    _ = timers.arm(0) { first = now() }
    _ = poller.watch(inbox.bell, EPOLLIN.rawValue | EPOLLET.rawValue) { _ in }
    var thread = pthread_t()
    let begun = Unmanaged.passUnretained(inbox).toOpaque()  // Safe: the process ends before the inbox does.
    let failure = pthread_create(
        &thread, nil,
        { inbox in
            // Safe: as above.
            try? Unmanaged<LeastInbox>.fromOpaque(inbox!).takeUnretainedValue().post {}
            return nil
        }, begun)
    guard failure == 0 else { throw Failed("there is no thread") }
    while first == 0 {
        takeEvents()
        inbox.run(failed)
        poller.poll(0, failed)
        timers.fire(failed)
        ready.run()
    }
    let (residentAfter, ownAfter) = (bench_resident(), bench_private())
    metric("first_callback", "ms", Double(first - begin) / 1e6)
    metric("resident", "KB", residentAfter - resident)
    metric("private", "KB", ownAfter - own)
}
