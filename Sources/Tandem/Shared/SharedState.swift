// SPDX-License-Identifier: Apache-2.0
// SharedState: the only state that both threads touch. The backend thread has a reference to this and to nothing else
//              of the loop, so that it cannot keep the loop alive.
// Owner:  each field says which thread uses it. Other files change the fields by the operations below only.

import Synchronization
import SystemPackage
import TandemCLinux

final class SharedState: Sendable {
    let turn: PollTurn
    let poller: Poller
    let inbox = Inbox()
    let trace: (@Sendable (TraceStep) -> Void)?
    /// The same for the steps by which the threads wake each other and pass the turn.
    let threadTrace: (@Sendable (TraceStep) -> Void)?
    /// The trace, which is told of each post; `nil` without one.
    let postTrace: Trace?

    private let hostLock = Lock()
    // Safe: read and written only while `hostLock` is held. A strong reference until the loop closes: often the host
    // owns the loop, and is owned by nobody else.
    private nonisolated(unsafe) var host: (any GuestHost)?
    /// `TickRequest` bits: set on any thread, cleared on the UI thread.
    private let requests = Atomic<UInt32>(0)
    /// The nearest deadline: written on the UI thread, read by the backend.
    private let deadline = Atomic<Nanoseconds>(.never)
    /// Written on the UI thread, read by the backend.
    private let isClosing = Atomic<Bool>(false)
    /// The error that ended the backend. The backend writes it before it announces `.failure`.
    private let failureNumber = Atomic<Int32>(0)
    /// Main-actor jobs of other threads are refused. Any thread.
    private let refusesOthers = Atomic<Bool>(false)

    // Counted on any thread.
    private let requestsTaken = Atomic<Int>(0)
    private let requestsSpared = Atomic<Int>(0)
    private let requestsDropped = Atomic<Int>(0)
    private let waitsHandedOver = Atomic<Int>(0)

    /// - Parameter postTrace: The configuration's trace. Copied from there it would have the runtime make a type, which
    ///   costs a start 38,000 instructions.
    init(host: any GuestHost, configuration: Configuration, postTrace: Trace?) throws(GuestError) {
        self.host = host
        trace = configuration.onStep
        threadTrace = configuration.onThreadStep ?? configuration.onStep
        self.postTrace = postTrace
        turn = try PollTurn(
            lease: configuration.turnLease, leaseBetweenTicks: configuration.turnLeaseBetweenTicks,
            ticksRegularly: configuration.expectsRegularTicks, trace: threadTrace)
        poller = try Poller(forcesMilliseconds: configuration.forcesMillisecondWaits)
    }

    /// Any thread: whether main-actor jobs of other threads are taken.
    var admitsOthers: Bool {
        get { !refusesOthers.load(ordering: .relaxed) }
        set { refusesOthers.store(!newValue, ordering: .relaxed) }
    }

    /// Any thread: counts a wait of a task that runs on another thread.
    func countHandedOverWait() { waitsHandedOver.add(1, ordering: .relaxed) }

    /// UI thread: adds the counts of this object and of its parts.
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
    /// Any thread: notes what there is to do, then asks the host for a tick, unless such a request is under way
    /// already.
    func requestTick(for reason: TickRequest) {
        let before = requests.bitwiseOr(reason.union(.underWay).rawValue, ordering: .sequentiallyConsistent).oldValue
        guard before & TickRequest.underWay.rawValue == 0 else {
            requestsSpared.add(1, ordering: .relaxed)
            return
        }
        threadTrace?(.hint)
        hostLock.lock()
        let host = self.host
        hostLock.unlock()
        if host?.requestTick() ?? false {
            requestsTaken.add(1, ordering: .relaxed)
        } else {
            // The flag is cleared, so that the next piece of work asks again. The work itself is in its queue.
            requests.bitwiseAnd(~TickRequest.underWay.rawValue, ordering: .sequentiallyConsistent)
            requestsDropped.add(1, ordering: .relaxed)
        }
    }

    /// UI thread: notes a reason without asking the host for a tick.
    func note(_ reason: TickRequest) { requests.bitwiseOr(reason.rawValue, ordering: .relaxed) }

    /// Any thread: puts work into the inbox, and asks for a tick unless the UI thread is going to look there anyway.
    /// `false`: the inbox is closed.
    func deliver(_ work: consuming Work, isPost: Bool = false) -> Bool {
        let isKnown = TickRequest([.underWay, .inbox]).rawValue
        // Read under the inbox's lock: the UI thread clears these bits first, and takes the same lock afterwards to
        // look into the inbox.
        switch inbox.append(
            work, isPost: isPost, isSignalled: { requests.load(ordering: .relaxed) & isKnown == isKnown })
        {
        case .first: requestTick(for: .inbox)
        case .alreadySignalled: break
        case .closed: return false
        }
        return true
    }

    /// Any thread: a post of the program's, by way of the loop or of its proxy.
    ///
    /// - Throws: `.closed` if the inbox is closed.
    @inline(__always) func post(
        _ body: consuming @escaping @Sendable () throws -> Void, _ site: CallSite
    ) throws(GuestError) {
        if let postTrace {
            guard deliverTraced(body, site, postTrace) else { throw .closed }
            return
        }
        let work = Work.posted(consume body, site)
        guard deliver(work, isPost: true) else { throw .closed }
    }

    /// UI thread: the reasons to tick; empty if there are none. One load.
    ///
    /// Often the UI thread has just stored something by which other threads learn that they need not, or need, wake it
    /// ("I listen", "I am not suppressed any more"). On processors with a weak acquire load (aarch64 with rcpc), an
    /// acquire load may be done before that store; then both sides would see the old state, and this thread would sleep
    /// although there is work. In one total order one of the two sees the other. On x86 it is the same instruction.
    var pending: TickRequest { TickRequest(rawValue: requests.load(ordering: .sequentiallyConsistent)) }

    /// UI thread: moves what has arrived into a queue; see ``Inbox/empty(into:limit:)``.
    func emptyInbox(into queue: inout TaskQueue<ReadyWork>, limit: Int) -> Int {
        inbox.empty(into: &queue, limit: limit)
    }

    /// Any thread: a request for a tick is under way.
    var isAskingForTick: Bool { requests.load(ordering: .relaxed) & TickRequest.underWay.rawValue != 0 }

    /// UI thread: reads the reasons and clears them. The caller looks at what they announce afterwards.
    func take(_ wanted: TickRequest) -> TickRequest {
        let before = requests.bitwiseAnd(~wanted.rawValue, ordering: .sequentiallyConsistent).oldValue
        return TickRequest(rawValue: before).intersection(wanted)
    }
}

// MARK: - The turn

// UI thread: what each tick and each wait calls. By way of these functions, since the compiler counts a reference of a
// part's part around each call: `shared.turn.beginTick()` in the loop is 40 instructions more.
extension SharedState {
    func beginTick(at now: Nanoseconds) -> Bool { turn.beginTick(at: now) }
    func finishTick(_ next: AfterTick, canPoll: Bool, now: Nanoseconds) {
        turn.finish(next, canPoll: canPoll, now: now)
    }
    func beginWait() -> Bool { turn.beginWait() }
    func endWait(at now: Nanoseconds, byWork: Bool) { turn.endWait(at: now, byWork: byWork) }
    func beginSleep() -> Bool { turn.beginSleep() }
    func sleep(_ sleep: Sleep, on waker: Waker) -> Wake? { waker.sleep(sleep, in: poller) }
}

// MARK: - Deadline

extension SharedState {
    /// UI thread: stores the nearest deadline, then wakes the backend if it may be sleeping until a later one. For the
    /// order see `WakePipe`.
    func publish(_ new: Nanoseconds) {
        let old = deadline.exchange(new, ordering: .sequentiallyConsistent)
        if old != new { trace?(.deadlinePublished) }
        if new < old, turn.backendHasIt { wakeBackend() }
    }

    var publishedDeadline: Nanoseconds { deadline.load(ordering: .sequentiallyConsistent) }

    /// UI thread: ends the backend's sleep.
    func wakeBackend() {
        guard failure == nil else { return }
        threadTrace?(.wake)
        poller.wake()
    }
}

// MARK: - The end

extension SharedState {
    /// Backend: it cannot wait any more, and ends. `holdsTurn`: it has the turn, and gives it back by this call.
    func backendFails(_ error: Errno, holdsTurn: Bool) {
        failureNumber.store(error.rawValue, ordering: .releasing)
        if holdsTurn { turn.giveBack() }
        requestTick(for: holdsTurn ? [.failure, .turn] : .failure)
    }

    /// The error that ended the backend.
    var failure: Errno? {
        let number = failureNumber.load(ordering: .acquiring)
        return number == 0 ? nil : Errno(rawValue: number)
    }

    /// The backend reads this after it has emptied the wake pipe and cleared the pipe's flag; `stopBackend` sets it
    /// first and then wakes the backend. For why the order must be total see `pending`.
    var closes: Bool { isClosing.load(ordering: .sequentiallyConsistent) }

    /// UI thread: tells the backend to end, whether it sleeps in a poll or waits for the turn.
    func stopBackend() {
        isClosing.store(true, ordering: .sequentiallyConsistent)
        poller.wake()
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
