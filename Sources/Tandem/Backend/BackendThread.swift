// SPDX-License-Identifier: Apache-2.0
// BackendThread: the thread that sleeps in the kernel, so that the game's thread does not have to.
// Idea:   it takes the turn, sleeps in epoll until a descriptor is ready or a timer is due, gives the turn back, and
//         asks for a tick. No user code ever runs on it.
// Owner:  the backend thread. `init` and `stop` are called on the UI thread.
// Breaks: if it polled again before the UI thread has passed the turn, it would overwrite results that were not
//         handled.

import Glibc
import SystemPackage
import TandemCLinux

struct BackendThread: ~Copyable {
    private let thread: pthread_t
    private let shared: SharedState

    /// UI thread: starts the backend thread, which has the turn first.
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

    /// UI thread: tells the backend thread to end, and waits until it has.
    consuming func stop() {
        shared.stopBackend()
        pthread_join(thread, nil)
    }

    private static func main(_ shared: SharedState) {
        // By default the kernel may end a sleep 50 us late, which would be half of a timer's lateness.
        tandem_thread_set_timer_slack(1)
        shared.threadTrace?(.backendStarted)
        while true {
            do throws(Errno) {
                try shared.turn.take(unless: { shared.closes })
            } catch {
                // The turn stays where it is, since nobody passes it any more.
                shared.backendFails(error, holdsTurn: false)
                break
            }
            if shared.closes { break }
            do throws(Errno) {
                try sleep(shared)
            } catch {
                // A retry would fail, too: whatever closed our descriptor will not give it back. The UI thread tells
                // everybody who waits.
                shared.backendFails(error, holdsTurn: true)
                break
            }
            if shared.closes { break }
            shared.threadTrace?(.turnReturned)
            shared.turn.giveBack()
            shared.requestTick(for: .turn)
        }
        shared.threadTrace?(.backendEnded)
    }

    /// Sleeps until a descriptor is ready, the deadline has come or the loop closes. After a mere wake it computes the
    /// timeout anew and sleeps on.
    private static func sleep(_ shared: SharedState) throws(Errno) {
        // A sleep of the UI thread has found something, and the turn has come here before a tick took it.
        if shared.poller.hasFound { return }
        shared.threadTrace?(.poll)
        while !shared.closes {
            let count = try shared.poller.wait(until: shared.publishedDeadline)
            var others = count
            for index in 0..<count where shared.poller.handleOwn(shared.poller[index]) { others -= 1 }
            let now = LoopClock.machine
            if others > 0 || shared.publishedDeadline <= now {
                shared.poller.noteFound(count, at: now)
                return
            }
        }
    }
}
