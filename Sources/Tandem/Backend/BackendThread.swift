// SPDX-License-Identifier: Apache-2.0
// BackendThread: the thread that sleeps so that the game does not have to.
// Idea:   the source design's `backend_thread_loop`: take the turn, sleep in epoll until something is ready or due, give the
//         turn back, ask for a tick. No code of the user's ever runs here.
// Owner:  this file is the backend thread, but for `start` and `stop`.
// Breaks: polling again before the UI thread has passed the turn would overwrite results that nobody has handled.

import Glibc
import SystemPackage
import TandemCLinux

struct BackendThread: ~Copyable {
    private let thread: pthread_t
    private let backstage: Backstage

    /// UI thread: starts the backend, which holds the turn from the beginning.
    init(backstage: Backstage) throws(GuestError) {
        self.backstage = backstage
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(backstage)  // Safe: balanced in `main`, or just below.
        let failure = tandem_thread_start(
            &thread, "tandem-backend",
            { argument in
                // Safe: takes over the reference that `init` retained for this thread.
                BackendThread.main(Unmanaged<Backstage>.fromOpaque(argument!).takeRetainedValue())
                return nil
            }, argument.toOpaque())
        guard failure == 0 else {
            argument.release()
            throw GuestError(
                .startFailed, errno: Errno(rawValue: failure),
                "the backend thread could not be started; the process may be at its limit of threads (ulimit -u)")
        }
        self.thread = thread
        backstage.turn.pass()
    }

    /// UI thread: ends the backend and waits for it.
    consuming func stop() {
        backstage.stopBackend()
        pthread_join(thread, nil)
    }

    private static func main(_ backstage: Backstage) {
        // The default slack of 50 us would be half of a timer's lateness.
        tandem_thread_set_timer_slack(1)
        backstage.trace?(.backendStarted)
        while true {
            do throws(Errno) {
                try backstage.turn.take(unless: { backstage.closes })
            } catch {
                // The turn stays where it is, and nobody passes it any more.
                backstage.failure.store(error.rawValue, ordering: .releasing)
                backstage.raise(.failure)
                break
            }
            if backstage.closes { break }
            do throws(Errno) {
                try sleep(backstage)
            } catch {
                // Nothing to retry: whatever took our descriptor will not give it back. The UI thread tells the owners.
                backstage.failure.store(error.rawValue, ordering: .releasing)
                backstage.turn.giveBack()
                backstage.raise([.failure, .turn])
                break
            }
            if backstage.closes { break }
            backstage.trace?(.turnReturned)
            backstage.turn.giveBack()
            backstage.raise(.turn)
        }
        backstage.trace?(.backendEnded)
    }

    /// Sleeps until a descriptor is ready, the deadline has come or the loop closes. A wake alone only derives the timeout anew.
    private static func sleep(_ backstage: Backstage) throws(Errno) {
        backstage.trace?(.poll)
        while !backstage.closes {
            let count = try backstage.poller.wait(until: backstage.publishedDeadline)
            var others = count
            for index in 0..<count where backstage.poller.isOwn(backstage.poller[index]) { others -= 1 }
            let now = LoopClock.machine
            if others > 0 || backstage.publishedDeadline <= now {
                backstage.found.store(count, ordering: .relaxed)
                backstage.foundAt.store(now, ordering: .relaxed)
                return
            }
        }
    }
}
