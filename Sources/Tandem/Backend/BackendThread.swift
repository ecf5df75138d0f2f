// SPDX-License-Identifier: Apache-2.0
// BackendThread: the thread that sleeps so that the game does not have to.
// Idea:   take the turn, sleep in epoll until something is ready or due, give the turn back, ask for a tick. No code of the user's ever runs
//         here.
// Owner:  this file is the backend thread, but for `start` and `stop`.
// Breaks: polling again before the UI thread has passed the turn would overwrite results that nobody has handled.

import Glibc
import SystemPackage
import TandemCLinux

struct BackendThread: ~Copyable {
    private let thread: pthread_t
    private let shared: SharedState

    /// UI thread: starts the backend, which holds the turn from the beginning.
    init(shared: SharedState) throws(GuestError) {
        self.shared = shared
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(shared)  // Safe: balanced in `main`, or just below.
        let failure = tandem_thread_start(
            &thread, "tandem-backend",
            { argument in
                // Safe: takes over the reference that `init` retained for this thread.
                BackendThread.main(Unmanaged<SharedState>.fromOpaque(argument!).takeRetainedValue())
                return nil
            }, argument.toOpaque())
        guard failure == 0 else {
            argument.release()
            throw GuestError(
                .startFailed, errno: Errno(rawValue: failure),
                "the backend thread could not be started; the process may be at its limit of threads (ulimit -u)")
        }
        self.thread = thread
        shared.turn.start()
    }

    /// UI thread: ends the backend and waits for it.
    consuming func stop() {
        shared.stopBackend()
        pthread_join(thread, nil)
    }

    private static func main(_ shared: SharedState) {
        // The default slack of 50 us would be half of a timer's lateness.
        tandem_thread_set_timer_slack(1)
        shared.trace?(.backendStarted)
        while true {
            do throws(Errno) {
                try shared.turn.take(unless: { shared.closes })
            } catch {
                // The turn stays where it is, and nobody passes it any more.
                shared.backendFails(error, holdsTurn: false)
                break
            }
            if shared.closes { break }
            do throws(Errno) {
                try sleep(shared)
            } catch {
                // Nothing to retry: whatever took our descriptor will not give it back. The UI thread tells the owners.
                shared.backendFails(error, holdsTurn: true)
                break
            }
            if shared.closes { break }
            shared.trace?(.turnReturned)
            shared.turn.giveBack()
            shared.requestTick(for: .turn)
        }
        shared.trace?(.backendEnded)
    }

    /// Sleeps until a descriptor is ready, the deadline has come or the loop closes. A wake alone only derives the timeout anew.
    private static func sleep(_ shared: SharedState) throws(Errno) {
        shared.trace?(.poll)
        while !shared.closes {
            let count = try shared.poller.wait(until: shared.publishedDeadline)
            var others = count
            for index in 0..<count where shared.poller.isOwn(shared.poller[index]) { others -= 1 }
            let now = LoopClock.machine
            if others > 0 || shared.publishedDeadline <= now {
                shared.poller.noteFound(count, at: now)
                return
            }
        }
    }
}
