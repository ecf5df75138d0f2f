// SPDX-License-Identifier: Apache-2.0
// SharedState: the only state that both threads touch. The backend thread has a reference to this and to nothing else of the loop's, so that it
//              cannot keep the loop alive.
// Owner:  each field says whose it is; other files change them by the operations below.

import Synchronization
import SystemPackage
import TandemCLinux

final class SharedState: Sendable {
    let turn: PollTurn
    let poller: Poller
    let inbox = Inbox()
    let trace: (@Sendable (TraceStep) -> Void)?

    private let hostLock = Lock()
    // Safe: touched with `hostLock` held. Kept from the loop's making to its closing: a host often owns its loop.
    private nonisolated(unsafe) var host: (any GuestHost)?
    /// `TickRequest` bits: set on any thread, cleared on the UI thread.
    private let requests = Atomic<UInt32>(0)
    /// The nearest deadline: written on the UI thread, read by the backend.
    private let deadline = Atomic<Nanoseconds>(.never)
    /// Written on the UI thread, read by the backend.
    private let isClosing = Atomic<Bool>(false)
    /// The error number of what broke the backend. The backend writes it before it announces `.failure`.
    private let failureNumber = Atomic<Int32>(0)
    /// Main-actor jobs of other threads are refused. Any thread.
    private let refusesOthers = Atomic<Bool>(false)

    // Counted on any thread.
    private let requestsTaken = Atomic<Int>(0)
    private let requestsSpared = Atomic<Int>(0)
    private let requestsDropped = Atomic<Int>(0)
    private let waitsHandedOver = Atomic<Int>(0)

    init(host: any GuestHost, configuration: Configuration) throws(GuestError) {
        self.host = host
        trace = configuration.trace
        turn = try PollTurn(lease: configuration.turnLease, trace: configuration.trace)
        poller = try Poller(forcesMilliseconds: configuration.forcesMillisecondWaits)
    }

    /// Any thread: whether main-actor jobs of other threads are taken.
    var admitsOthers: Bool {
        get { !refusesOthers.load(ordering: .relaxed) }
        set { refusesOthers.store(!newValue, ordering: .relaxed) }
    }

    /// Any thread: another thread's task waits on the loop.
    func countHandedOverWait() { waitsHandedOver.add(1, ordering: .relaxed) }

    /// UI thread: adds what was counted here, and by the parts of this.
    func count(into statistics: inout Statistics) {
        let arrivals = inbox.counts
        statistics.posts = arrivals.posts
        statistics.waitsHandedOver = waitsHandedOver.load(ordering: .relaxed)
        statistics.hintsPosted = requestsTaken.load(ordering: .relaxed)
        statistics.hintsCoalesced += requestsSpared.load(ordering: .relaxed) + arrivals.known
        statistics.hintsDropped = requestsDropped.load(ordering: .relaxed)
        statistics.wakePipeWrites = poller.wakePipe.writes
        statistics.turnsPassed = turn.timesPassed
    }
}

// MARK: - Requests for a tick

extension SharedState {
    /// Any thread: says what there is to do, then asks the host for a tick unless such a request is under way.
    func requestTick(for reason: TickRequest) {
        let before = requests.bitwiseOr(reason.union(.underWay).rawValue, ordering: .sequentiallyConsistent).oldValue
        guard before & TickRequest.underWay.rawValue == 0 else {
            requestsSpared.add(1, ordering: .relaxed)
            return
        }
        trace?(.hint)
        hostLock.lock()
        let host = self.host
        hostLock.unlock()
        if host?.requestTick() ?? false {
            requestsTaken.add(1, ordering: .relaxed)
        } else {
            // Cleared, so that the next piece of work asks again; the work itself stands in its queue.
            requests.bitwiseAnd(~TickRequest.underWay.rawValue, ordering: .sequentiallyConsistent)
            requestsDropped.add(1, ordering: .relaxed)
        }
    }

    /// UI thread: says so to itself, which asks nobody for a tick.
    func note(_ reason: TickRequest) { requests.bitwiseOr(reason.rawValue, ordering: .relaxed) }

    /// Any thread: leaves work in the inbox, and asks for a tick unless the UI thread is going to look there anyway. `false`: too late.
    func deliver(_ work: consuming Work, isPost: Bool = false) -> Bool {
        let isKnown = TickRequest([.underWay, .inbox]).rawValue
        // Read under the inbox's lock: who takes these bits looks into the inbox afterwards, under the same lock.
        switch inbox.append(
            work, isPost: isPost, isSignalled: { requests.load(ordering: .relaxed) & isKnown == isKnown })
        {
        case .first: requestTick(for: .inbox)
        case .alreadySignalled: break
        case .closed: return false
        }
        return true
    }

    /// UI thread: why it should tick; empty if for nothing. One load.
    ///
    /// It often follows a store of the same thread by which the others learn that nobody will look any more ("I listen", "I am not suppressed any
    /// more"). An acquire load may pass such a store on processors that have a weaker one (aarch64 with rcpc); then both sides would see the
    /// old state, and a wake would be slept over. In one total order one of the two sees the other. On x86 it is the same instruction.
    var pending: TickRequest { TickRequest(rawValue: requests.load(ordering: .sequentiallyConsistent)) }

    /// UI thread: reads the reasons and clears them, before what they announce is looked at.
    func take(_ wanted: TickRequest) -> TickRequest {
        let before = requests.bitwiseAnd(~wanted.rawValue, ordering: .sequentiallyConsistent).oldValue
        return TickRequest(rawValue: before).intersection(wanted)
    }
}

// MARK: - Deadline

extension SharedState {
    /// UI thread: stores the nearest deadline, then wakes the backend if it may be sleeping past it. The order matters; see `WakePipe`.
    func publish(_ new: Nanoseconds) {
        let old = deadline.exchange(new, ordering: .sequentiallyConsistent)
        if old != new { trace?(.deadlinePublished) }
        if new < old, turn.backendHasIt { wakeBackend() }
    }

    var publishedDeadline: Nanoseconds { deadline.load(ordering: .sequentiallyConsistent) }

    /// UI thread: ends the backend's sleep.
    func wakeBackend() {
        guard failure == nil else { return }
        trace?(.wake)
        poller.wakePipe.wake()
    }
}

// MARK: - The end

extension SharedState {
    /// Backend: it can wait no longer, and ends. `holdsTurn`: the UI thread gets the turn back by this.
    func backendFails(_ error: Errno, holdsTurn: Bool) {
        failureNumber.store(error.rawValue, ordering: .releasing)
        if holdsTurn { turn.giveBack() }
        requestTick(for: holdsTurn ? [.failure, .turn] : .failure)
    }

    /// What broke the backend.
    var failure: Errno? {
        let number = failureNumber.load(ordering: .acquiring)
        return number == 0 ? nil : Errno(rawValue: number)
    }

    /// The backend looks here after it has emptied the wake pipe and cleared its flag, and `stopBackend` finds the flag set or writes: for the
    /// order see `pending`.
    var closes: Bool { isClosing.load(ordering: .sequentiallyConsistent) }

    /// UI thread: tells the backend to end. It may be asleep, or wait for the turn.
    func stopBackend() {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        poller.wakePipe.wake()
        turn.wakeBackend()
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
