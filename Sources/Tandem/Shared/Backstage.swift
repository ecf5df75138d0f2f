// SPDX-License-Identifier: Apache-2.0
// Backstage: all that the two threads share. The backend knows nothing else, so that it cannot keep the loop alive.
// Owner:  each field says whose it is.

import Synchronization
import SystemPackage
import TandemCLinux

final class Backstage: Sendable {
    private let hostLock = Lock()
    // Safe: touched with `hostLock` held. Kept from the loop's making to its closing: a host often owns its loop.
    private nonisolated(unsafe) var host: (any GuestHost)?
    let turn: Turn
    let poller: Poller
    let trace: (@Sendable (TraceStep) -> Void)?

    /// Set on any thread, cleared on the UI thread.
    private let signals = Atomic<UInt32>(0)
    /// The nearest deadline. Written on the UI thread, read by the backend.
    private let deadline = Atomic<Nanoseconds>(.never)
    /// Written on the UI thread, read by the backend.
    private let isClosing = Atomic<Bool>(false)
    /// How many entries of the event buffer are filled, and when. Belongs to the holder of the turn.
    let found = Atomic<Int>(0)
    let foundAt = Atomic<Nanoseconds>(0)
    /// What broke the backend. Written by it before it raises `.failure`.
    let failure = Atomic<Int32>(0)

    /// Main-actor jobs of other threads are refused; see `GuestLoop.admitsOthers`. Any thread.
    let keepsOthersOut = Atomic<Bool>(false)

    // Counted on any thread.
    let hintsPosted = Atomic<Int>(0)
    let hintsCoalesced = Atomic<Int>(0)
    let hintsDropped = Atomic<Int>(0)
    let waitsHandedOver = Atomic<Int>(0)

    init(host: any GuestHost, configuration: Configuration) throws(GuestError) {
        self.host = host
        trace = configuration.trace
        turn = try Turn(lease: configuration.turnLease)
        poller = try Poller(forcesMilliseconds: configuration.forcesMillisecondWaits)
    }
}

// MARK: - Signals

extension Backstage {
    /// Any thread: announces work, then asks the host for a tick unless such a request is under way.
    func raise(_ news: Signals) {
        let before = signals.bitwiseOr(news.union(.hint).rawValue, ordering: .sequentiallyConsistent).oldValue
        guard before & Signals.hint.rawValue == 0 else {
            hintsCoalesced.add(1, ordering: .relaxed)
            return
        }
        trace?(.hint)
        hostLock.lock()
        let host = self.host
        hostLock.unlock()
        if host?.requestTick() ?? false {
            hintsPosted.add(1, ordering: .relaxed)
        } else {
            // Cleared, so that the next piece of work asks again; the work itself stands in its queue.
            signals.bitwiseAnd(~Signals.hint.rawValue, ordering: .sequentiallyConsistent)
            hintsDropped.add(1, ordering: .relaxed)
        }
    }

    /// UI thread: announces work to itself, which asks nobody for a tick.
    func note(_ news: Signals) { signals.bitwiseOr(news.rawValue, ordering: .relaxed) }

    /// Any thread: leaves work in the inbox, and asks for a tick unless the UI thread is going to look there anyway. `false`: too late.
    func deliver(_ work: consuming Work, to inbox: Inbox, isPost: Bool = false) -> Bool {
        let heard = Signals([.hint, .inbox]).rawValue
        // Read under the inbox's lock: who takes these bits looks into the inbox afterwards, under the same lock.
        switch inbox.append(work, isPost: isPost, isHeard: { signals.load(ordering: .relaxed) & heard == heard }) {
        case .news: raise(.inbox)
        case .known: break
        case .tooLate: return false
        }
        return true
    }

    /// UI thread: is there anything to look at? One load.
    ///
    /// It often follows a store of the same thread by which the others learn that nobody will look any more ("I listen", "I am not muted any
    /// more"). An acquire load may pass such a store on processors that have a weaker one (aarch64 with rcpc); then both sides would see the
    /// old state, and a wake would be slept over. In one total order one of the two sees the other. On x86 it is the same instruction.
    var announced: Signals { Signals(rawValue: signals.load(ordering: .sequentiallyConsistent)) }

    /// UI thread: reads the signals and clears them, before what they announce is looked at.
    func take(_ wanted: Signals) -> Signals {
        let before = signals.bitwiseAnd(~wanted.rawValue, ordering: .sequentiallyConsistent).oldValue
        return Signals(rawValue: before).intersection(wanted)
    }
}

// MARK: - Deadline

extension Backstage {
    /// UI thread: stores the nearest deadline. Returns whether it is earlier than what the backend may sleep for.
    func publish(_ new: Nanoseconds) -> Bool {
        let old = deadline.exchange(new, ordering: .sequentiallyConsistent)
        if old != new { trace?(.deadlinePublished) }
        return new < old
    }

    var publishedDeadline: Nanoseconds { deadline.load(ordering: .sequentiallyConsistent) }

    /// UI thread: ends the backend's sleep.
    func wakeBackend() {
        trace?(.wake)
        poller.wakePipe.wake()
    }
}

// MARK: - Closing

extension Backstage {
    /// The backend looks here after it has emptied the wake pipe and cleared its flag, and `stopBackend` finds the flag set or writes: for the
    /// order see `announced`.
    var closes: Bool { isClosing.load(ordering: .sequentiallyConsistent) }

    /// UI thread: tells the backend to end. It may be asleep, or wait for the turn.
    func stopBackend() {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        poller.wakePipe.wake()
        turn.wake()
    }

    /// UI thread, after the backend was joined.
    func release() {
        poller.close()
        turn.close()
        hostLock.lock()
        let released = host
        host = nil
        hostLock.unlock()
        withExtendedLifetime(released) {}
    }
}
