# SPDX-License-Identifier: Apache-2.0
"""The mutants of the model as code: what each changes in which file of Sources/Tandem, by the names that Tests/Model/run gives them.

All of them are compiled in at once, each behind `mutated(.NAME)`. A text that is not in its file any more stops the build: then the code has changed,
and the mutant has to change with it. `scenario` is the host by which it is found.
"""
import collections

Mutant = collections.namedtuple("Mutant", "name scenario changes")


def mutant(name, scenario, *changes):
    """Each change: a file, the text that is replaced, what stands there instead."""
    return Mutant(name, scenario, changes)


TICK, COLLECT, SHARED, TURN = "Loop/Tick.swift", "Loop/CollectReadyWork.swift", "Shared/SharedState.swift", "Shared/PollTurn.swift"
INBOX, PIPE, WAKER, BACKEND = "Shared/Inbox.swift", "Shared/WakePipe.swift", "Shared/Waker.swift", "Backend/BackendThread.swift"
WAIT, LOOP, ERRORS = "Loop/HostWait.swift", "GuestLoop.swift", "Loop/ErrorDelivery.swift"

MUTANTS = [
    mutant(
        "HINT_CLEARED_AFTER_QUEUES", "asked",
        (TICK, "        _ = shared.take([.underWay, .ready])", "        if !mutated(.NAME) { _ = shared.take([.underWay, .ready]) }"),
        (TICK, "        account(&tick)\n", "        account(&tick)\n        if mutated(.NAME) { _ = shared.take([.underWay, .ready]) }\n")),
    mutant(
        "INBOX_BIT_CLEARED_AFTER_LOOK", "asked",
        (COLLECT, "let reasons = shared.pending.isEmpty ? [] : shared.take([.inbox, .turn, .failure])",
         "let reasons: TickRequest = shared.pending.isEmpty ? [] : mutated(.NAME) ? shared.pending.intersection(.inbox).union(shared.take([.turn, .failure])) : shared.take([.inbox, .turn, .failure])"),
        (COLLECT, "        takeInInbox(&tick)\n    }", "        takeInInbox(&tick)\n        if mutated(.NAME) { _ = shared.take([.inbox]) }\n    }")),
    mutant(
        "ANNOUNCE_BEFORE_APPEND", "asked",
        (SHARED, "        // Read under the inbox's lock:", "        if mutated(.NAME) { requestTick(for: .inbox) }\n        // Read under the inbox's lock:"),
        (SHARED, "        case .first: requestTick(for: .inbox)", "        case .first: if !mutated(.NAME) { requestTick(for: .inbox) }")),
    mutant(
        "KNOWN_BY_INBOX_ALONE", "asked",
        (SHARED, "let isKnown = TickRequest([.underWay, .inbox]).rawValue",
         "let isKnown = mutated(.NAME) ? TickRequest.inbox.rawValue : TickRequest([.underWay, .inbox]).rawValue")),
    mutant(
        "ASK_EACH_TIME", "asked",
        (SHARED, "guard before & TickRequest.underWay.rawValue == 0 else", "guard before & TickRequest.underWay.rawValue == 0 || mutated(.NAME) else")),
    mutant(
        "REFUSED_HINT_STAYS", "asked",
        (SHARED, "            requests.bitwiseAnd(~TickRequest.underWay.rawValue", "            if !mutated(.NAME) { requests.bitwiseAnd(~TickRequest.underWay.rawValue"),
        (SHARED, "ordering: .sequentiallyConsistent)\n            requestsDropped", "ordering: .sequentiallyConsistent) }\n            requestsDropped")),
    mutant(
        "LEFTOVERS_ASK_NOBODY", "asked",
        (TICK, "if tick.report.carriedOver > 0 || shared.inbox.hasLeftovers {", "if !mutated(.NAME), tick.report.carriedOver > 0 || shared.inbox.hasLeftovers {")),
    mutant(
        "THROW_KEEPS_TURN", "asked",
        (ERRORS, "        instruments.countError()", "        if mutated(.NAME) { hasThrown = true }\n        instruments.countError()"),
        (TURN, "    func finish(_ next: AfterTick, canPoll: Bool, now: Nanoseconds) {\n",
         "    func finish(_ next: AfterTick, canPoll: Bool, now: Nanoseconds) {\n        if mutated(.NAME), hasThrown {\n            hasThrown = false\n            return\n        }\n")),
    mutant(
        "PASSES_WHAT_IT_DOES_NOT_HOLD", "asked",
        (TURN, "        guard uiThreadHasIt else { return }\n        guard canPoll", "        guard uiThreadHasIt || mutated(.NAME) else { return }\n        guard canPoll")),
    mutant(
        "PASSED_WITHOUT_WAKE", "asked",
        (TURN, "        trace?(.turnPassed)\n        place.store(.backend, ordering: .releasing)\n        wakeBackend()",
         "        trace?(.turnPassed)\n        place.store(.backend, ordering: .releasing)\n        if !mutated(.NAME) { wakeBackend() }")),
    mutant(
        "TURN_RAISED_BEFORE_GIVEN", "asked",
        (BACKEND, "            shared.turn.giveBack()\n            shared.requestTick(for: .turn)",
         "            if mutated(.NAME) { shared.requestTick(for: .turn) }\n            shared.turn.giveBack()\n            if !mutated(.NAME) { shared.requestTick(for: .turn) }")),
    mutant(
        "DEADLINE_STORED_AFTER_COMPARE", "leases",
        (SHARED, "    func publish(_ new: Nanoseconds) {\n",
         "    func publish(_ new: Nanoseconds) {\n        if mutated(.NAME) {\n            let isHere = turn.backendHasIt\n"
         "            if deadline.exchange(new, ordering: .sequentiallyConsistent) > new, isHere { wakeBackend() }\n            return\n        }\n")),
    mutant(
        "WAKE_BEFORE_STORE", "asked",
        (SHARED, "        let old = deadline.exchange(new,",
         "        if mutated(.NAME) {\n            if new < publishedDeadline, turn.backendHasIt { wakeBackend() }\n"
         "            deadline.store(new, ordering: .sequentiallyConsistent)\n            return\n        }\n        let old = deadline.exchange(new,")),
    mutant(
        "WAKE_FLAG_CLEARED_FIRST", "asked",
        (PIPE, "        var count: eventfd_t = 0\n        eventfd_read(rawValue, &count)\n        isWritten.store(false, ordering: .sequentiallyConsistent)",
         "        var count: eventfd_t = 0\n        if mutated(.NAME) { isWritten.store(false, ordering: .sequentiallyConsistent) }\n        eventfd_read(rawValue, &count)\n"
         "        if !mutated(.NAME) { isWritten.store(false, ordering: .sequentiallyConsistent) }")),
    mutant(
        "DEADLINE_READ_BEFORE_EMPTYING", "asked",
        (BACKEND, "        while !shared.closes {\n            let count = try shared.poller.wait(until: shared.publishedDeadline)",
         "        var seen = mutated(.NAME) ? shared.publishedDeadline : 0\n        while !shared.closes {\n            let count = try shared.poller.wait(until: mutated(.NAME) ? seen : shared.publishedDeadline)\n            if mutated(.NAME) { seen = shared.publishedDeadline }"),
        (BACKEND, "|| shared.publishedDeadline <= now", "|| (mutated(.NAME) ? seen : shared.publishedDeadline) <= now")),
    mutant(
        "LEASE_TAKES_WITHOUT_COMPARING", "headless",
        (TURN, "        // The UI thread has come back, and has taken a new lease",
         "        if mutated(.NAME) { return place.store(.backend, ordering: .sequentiallyConsistent) }\n        // The UI thread has come back, and has taken a new lease")),
    mutant(
        "LIES_WHILE_IT_SLEEPS", "headless",
        (TURN, "    private func endLease() {\n",
         "    private func endLease() {\n        if mutated(.NAME), place.load(ordering: .sequentiallyConsistent) == .leased { return }\n")),
    mutant("NO_LEASE", "events", (TURN, "        setTimer(lease)\n", "        if !mutated(.NAME) { setTimer(lease) }\n")),
    mutant(
        "LEASE_FLAG_CLEARED_FIRST", "leases",
        (TURN, "        guard isTimed.load(ordering: .sequentiallyConsistent) else { return }",
         "        if mutated(.NAME) {\n            isTimed.store(false, ordering: .sequentiallyConsistent)\n            tandem_timer_set(timer?.rawValue ?? -1, 0)\n            return\n        }\n"
         "        guard isTimed.load(ordering: .sequentiallyConsistent) else { return }")),
    mutant(
        "WAKER_FLAG_CLEARED_FIRST", "headless",
        (WAKER, "        var count: eventfd_t = 0\n        eventfd_read(number.load(ordering: .relaxed), &count)\n        isSignalled.store(false, ordering: .sequentiallyConsistent)",
         "        var count: eventfd_t = 0\n        if mutated(.NAME) { isSignalled.store(false, ordering: .sequentiallyConsistent) }\n"
         "        eventfd_read(number.load(ordering: .relaxed), &count)\n        if !mutated(.NAME) { isSignalled.store(false, ordering: .sequentiallyConsistent) }")),
    mutant("REFUSED_WAKE_IS_LOST", "headless", (WAKER, "            timer.expire()", "            if !mutated(.NAME) { timer.expire() }")),
    mutant("REFUSED_WAKE_BEFORE_SETTING", "headless", (WAKER, "        if usesTimerToWake.load(ordering: .sequentiallyConsistent) { timeout = 0 }",
         "        if !mutated(.NAME), usesTimerToWake.load(ordering: .sequentiallyConsistent) { timeout = 0 }")),
    mutant("SLEEPS_WITHOUT_FLAG", "headless", (WAKER, "let isSignalled = isSignalled.load(", "let isSignalled = !mutated(.NAME) && isSignalled.load(")),
    mutant("FOUND_IS_POLLED_OVER", "events", (BACKEND, "        if shared.poller.hasFound { return }", "        if !mutated(.NAME), shared.poller.hasFound { return }")),
    mutant("SLEEPS_WITHOUT_LOOK", "headless", (WAIT, "            if step.sawWork || hasWork(asOf: now) {\n                if work",
        "            if !mutated(.NAME), step.sawWork || hasWork(asOf: now) {\n                if work")),
    mutant(
        "LISTENS_AFTER_LOOK", "events",
        (WAKER, "        isListening.store(true, ordering: .sequentiallyConsistent)", "        if !mutated(.NAME) { isListening.store(true, ordering: .sequentiallyConsistent) }"),
        (WAKER, "        if self.descriptor == nil { replace() }",
         "        if mutated(.NAME) { isListening.store(true, ordering: .sequentiallyConsistent) }\n        if self.descriptor == nil { replace() }")),
    mutant("NO_LOOK_AFTER_UNMUTE", "headless", (WAIT, "        return !shared.pending.isEmpty", "        return mutated(.NAME) ? false : !shared.pending.isEmpty")),
    mutant(
        "LOOK_FOR_LISTENER_FIRST", "events",
        (SHARED, "        let before = requests.bitwiseOr(", "        if mutated(.NAME) { beforeRequest?() }\n        let before = requests.bitwiseOr(")),
    mutant("HAS_WORK_NOTES_NOTHING", "headless", (LOOP, "        shared.note(.ready)", "        if !mutated(.NAME) { shared.note(.ready) }")),
    mutant("INBOX_STAYS_OPEN", "headless", (INBOX, "        state.taking = .jobsOnly", "        if !mutated(.NAME) { state.taking = .jobsOnly }")),
    mutant("NO_ARRIVAL", "asked", (INBOX, "            arrivals.signal()", "            if !mutated(.NAME) { arrivals.signal() }")),
    mutant(
        "BACKEND_WOKEN_BEFORE_FLAG", "asked",
        (SHARED, "    func stopBackend() {\n        isClosing.store(true, ordering: .sequentiallyConsistent)",
         "    func stopBackend() {\n        if !mutated(.NAME) { isClosing.store(true, ordering: .sequentiallyConsistent) }"),
        (SHARED, "        poller.wake()\n        turn.wakeBackend()\n    }",
         "        poller.wake()\n        if !mutated(.CLOSE_LEAVES_TURN_ASLEEP) { turn.wakeBackend() }\n        if mutated(.NAME) { isClosing.store(true, ordering: .sequentiallyConsistent) }\n    }")),
    # Its place is changed just above.
    mutant("CLOSE_LEAVES_TURN_ASLEEP", "asked"),
]

# What the checks of a schedule have to see, and no step of the loop's reports.
PROBES = [
    (TURN, "        uiThreadHasIt = true\n        place.store(.loop", "        probe?(.turnReceived)\n        uiThreadHasIt = true\n        place.store(.loop"),
    (SHARED, "        hostLock.lock()\n        let host = self.host\n", "        probe?(.request)\n        hostLock.lock()\n        let host = self.host\n"),
    (SHARED, "            requestsDropped.add(1", "            probe?(.refusal)\n            requestsDropped.add(1"),
    (SHARED, "requests.bitwiseAnd(~wanted.rawValue, ordering: .sequentiallyConsistent).oldValue\n",
     "requests.bitwiseAnd(~wanted.rawValue, ordering: .sequentiallyConsistent).oldValue\n        if wanted.contains(.underWay) { probe?(.requestTaken) }\n"),
]

# What only the model has: they are in TandemSDL, beside SDL's own threads and locks, which no schedule of ours can decide.
MODEL_ONLY = {"PUSH_WAKES_NOBODY", "SDL_WAIT_UNBOUNDED"}

# What only the code has: the model's kernel refuses no wake.
CODE_ONLY = {"REFUSED_WAKE_IS_LOST", "REFUSED_WAKE_BEFORE_SETTING"}


def apply(name_of_file, text):
    """The file with every mutant compiled in."""
    for each in MUTANTS + [Mutant("a probe", "", PROBES)]:
        for path, old, new in each.changes:
            if path != name_of_file:
                continue
            if text.count(old) != 1:
                raise SystemExit(f"{each.name}: {text.count(old)} times in {path}, for once: {old}\nDoes the code still do what the model does? Then mend Tests/Schedules/mutants.py")
            text = text.replace(old, new.replace(".NAME", "." + each.name))
    return text


def declarations():
    """The Swift file that names them."""
    cases = "\n".join(f"    case {each.name}" for each in MUTANTS)
    return f"""package enum Mutant: String, CaseIterable {{
{cases}

    // Safe: set before the first schedule.
    package nonisolated(unsafe) static var current: Mutant?
}}

@inline(__always) package func mutated(_ mutant: Mutant) -> Bool {{ Mutant.current == mutant }}

// Safe, these: used by the participant that runs.
/// For THROW_KEEPS_TURN.
nonisolated(unsafe) var hasThrown = false
/// For LOOK_FOR_LISTENER_FIRST: called before a request is announced.
package nonisolated(unsafe) var beforeRequest: (() -> Void)?
package nonisolated(unsafe) var probe: ((Probe) -> Void)?

package enum Probe {{
    /// The UI thread takes what the backend has found.
    case turnReceived
    /// A request for a tick is under way; was refused; a tick begins, and clears it.
    case request, refusal, requestTaken
}}
"""
