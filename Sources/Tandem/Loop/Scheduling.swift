// SPDX-License-Identifier: Apache-2.0
// Scheduling: the ways in: callbacks, timers, descriptors and posts.
// Owner:  the UI thread, but for `post`.

public import SystemPackage
import TandemCLinux

extension GuestLoop {
    /// Runs `body` soon: in this tick if its budget allows and one is under way, else in the next. First come, first served.
    ///
    /// On a closed loop nothing is scheduled: the handle is done from the start, and the log says so. O(1).
    @discardableResult
    public func callSoon(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: consuming @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestLoop.callSoon", site) else { return .done }
        let handle = callbacks.add(.call(consume body), .queue, site)
        appendReady(.callback(handle.slot))
        return handle
    }

    /// Runs `body` once `delay` has passed, never earlier. Zero and negative delays mean soon, not now. O(log n).
    ///
    /// On a loop that has closed, or is closing, nothing is armed: the handle is done from the start, and the log says so.
    @discardableResult
    public func callLater(
        _ delay: Duration, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: consuming @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestLoop.callLater", site), admitTimer(site) else { return .done }
        return arm(.call(consume body), time.now.addingClamped(max(0, delay.nanosecondsRoundedUp)), site)
    }

    /// Runs `body` once the loop's clock (``now``) has reached `deadline`, never earlier. Timers run in the order of their
    /// deadlines, equal ones in the order of arming. O(log n).
    @discardableResult
    public func callAt(
        _ deadline: ContinuousClock.Instant, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: consuming @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admit("GuestLoop.callAt", site), admitTimer(site) else { return .done }
        return arm(.call(consume body), time.nanoseconds(at: deadline), site)
    }

    /// Runs `body` each time `fd` can be read, has hung up or failed, until the handle is cancelled.
    ///
    /// Level-triggered: what is left unread is reported again. Cancel the handle before closing the descriptor.
    /// One system call.
    ///
    /// - Throws: `.badDescriptor` (negative, closed, or a regular file), `.alreadyRegistered`, `.closed`.
    public func whenReadable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .readable, .call(body), CallSite(fileID: fileID, line: line))
    }

    /// Runs `body` each time `fd` can be written, has hung up or failed, until the handle is cancelled. As
    /// ``whenReadable(_:fileID:line:_:)``; a descriptor is writable most of the time, so cancel when there is nothing to write.
    public func whenWritable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .writable, .call(body), CallSite(fileID: fileID, line: line))
    }

    /// Any thread: runs `body` on the UI thread, in the next tick. The posts of one thread run in its order. O(1), a lock.
    ///
    /// - Throws: `.closed` when it is too late, `.forked` in a forked child. A post that was accepted runs, also if the loop
    ///   closes meanwhile.
    public func post(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: consuming @escaping @Sendable () throws -> Void
    ) throws(GuestError) {
        if thread.isForkedChild { throw UIThread.forkedError }
        let work = Work.posted(consume body, CallSite(fileID: fileID, line: line))
        guard backstage.deliver(work, to: inbox, isPost: true) else { throw .closed }
    }
}

// MARK: - Within the package

extension GuestLoop {
    /// A post of the loop's own, which is not counted and does not complain.
    @discardableResult
    func postInternally(_ body: @escaping @Sendable () -> Void) -> Bool {
        backstage.deliver(.posted(body, CallSite()), to: inbox)
    }

    /// For hosts: a watch of their own, of which a recorded run does not hear.
    package func serve(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .readable, .call(body), CallSite(fileID: fileID, line: line), isOurs: true)
    }

    /// The ready time of what is scheduled now; within a tick the last reading is near enough, outside one of the last ten microseconds.
    var readyTime: Nanoseconds {
        if isTicking { return mark }
        let cycles = tandem_cycles()
        if cycles &- schedulingCycles > tandem_cycles_in_10us() {
            schedulingTime = LoopClock.machine
            schedulingCycles = cycles
        }
        return schedulingTime
    }

    /// A Swift job: in the phase of a frame it belongs to that.
    func appendJob(_ work: consuming Work) {
        if isInPhase {
            phaseWork.append(ReadyWork(work: work, readyAt: mark))
        } else {
            appendReady(work)
        }
    }

    func appendReady(_ work: consuming Work) {
        ready.append(ReadyWork(work: work, readyAt: readyTime))
        guard !isTicking else { return }
        // As `raise` would find out, which costs two locked instructions.
        if backstage.announced.isSuperset(of: [.ready, .hint]) {
            counters.hintsCoalesced += 1
        } else {
            backstage.raise(.ready)
        }
    }

    /// Adds a timer, and tells the backend if it would sleep past it.
    func arm(_ action: consuming CallbackTable.Action, _ deadline: Nanoseconds, _ site: CallSite) -> CallbackHandle {
        let handle = callbacks.add(action, .timers, site)
        counters.timersArmed += 1
        backstage.trace?(.timerArmed)
        let first = timers.firstDeadline
        timers.insert(handle.slot, deadline: deadline)
        if deadline < first { deadlinesChanged() }
        return handle
    }

    func timerWasCancelled(_ slot: UInt32) {
        counters.timersCancelled += 1
        let first = timers.firstDeadline
        timers.wasCancelled(slot)
        if timers.firstDeadline != first { deadlinesChanged() }
    }

    /// Publishes the nearest deadline outside of ticks; a tick does so once, at its end.
    private func deadlinesChanged() {
        guard !isTicking, state == .open else { return }
        publishDeadline()
    }

    /// Stores the nearest deadline, then wakes the backend if it may be sleeping past it. The order matters; see `WakePipe`.
    func publishDeadline() {
        // Deadlines in virtual time mean nothing to the kernel.
        guard !time.isVirtual else { return }
        let deadline = timers.firstDeadline
        // One that has come needs no other thread to find it out, and is not published: what is published is what the backend was
        // woken for, or will wake for.
        if deadline < backstage.publishedDeadline, deadline <= (isTicking ? mark : time.now) {
            return backstage.raise(.ready)
        }
        let isEarlier = backstage.publish(deadline)
        // With the turn here, or on its way here, the backend will read the deadline when it gets it back.
        let isHere = (holdsTurn && backstage.turn.isHere) || backstage.announced.contains(.turn)
        if isEarlier, !isHere, failure == nil { backstage.wakeBackend() }
    }

    func watch(
        _ fd: FileDescriptor, _ direction: IOHandle.Direction, _ action: IOHandle.Action, _ site: CallSite,
        isOurs: Bool = false, isOwned: Bool = false
    ) throws(GuestError) -> IOHandle {
        if isClosed.load(ordering: .acquiring) { throw .closed }
        thread.check("GuestLoop.whenReadable or whenWritable")
        if state != .open { throw .closed }
        if let failure { throw failure }
        let handle = IOHandle(fd, direction, action, site: site, isOurs: isOurs, table: registrations)
        try registrations.add(handle, isOwned: isOwned)
        return handle
    }

    /// Traps on the wrong thread; on a closed loop says `false`, with a line in the log. In this order of checks, since a late
    /// job may find the loop closed from another thread.
    private func admit(_ call: StaticString, _ site: CallSite) -> Bool {
        if isClosed.load(ordering: .acquiring) {
            configuration.logger.warning("\(call) at \(site) came after the loop had closed; it schedules nothing")
            return false
        }
        thread.check(call)
        return true
    }

    /// A closing loop takes callbacks, which still run, and no timers, which would not.
    private func admitTimer(_ site: CallSite) -> Bool {
        if state == .open { return true }
        configuration.logger.warning("the timer armed at \(site) came when the loop was closing; it will not fire")
        return false
    }
}
