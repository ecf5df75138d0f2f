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
        guard admission.admitsCallback("GuestLoop.callSoon", site) else { return .done }
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
        guard admission.admitsTimer("GuestLoop.callLater", site) else { return .done }
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
        guard admission.admitsTimer("GuestLoop.callAt", site) else { return .done }
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
        try admission.admitFromAnyThread()
        let work = Work.posted(consume body, CallSite(fileID: fileID, line: line))
        guard shared.deliver(work, isPost: true) else { throw .closed }
    }
}

// MARK: - Within the package

extension GuestLoop {
    /// A post of the loop's own, which is not counted and does not complain.
    @discardableResult
    func postInternally(_ body: @escaping @Sendable () -> Void) -> Bool {
        shared.deliver(.posted(body, CallSite()))
    }

    /// For hosts: a watch of their own, of which a recorded run does not hear.
    package func serve(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .readable, .call(body), CallSite(fileID: fileID, line: line), isOurs: true)
    }

    /// A Swift job: in the phase of a frame it belongs to that.
    func appendJob(_ work: consuming Work) {
        if queues.isInPhase {
            queues.appendToPhase(work, readyAt: tickClock.mark)
        } else {
            appendReady(work)
        }
    }

    /// Puts work into the line, and asks for a tick if none is under way. Within a tick its last reading of the clock is near enough.
    func appendReady(_ work: consuming Work) {
        if tickState.isTicking { return queues.append(work, readyAt: tickClock.mark) }
        queues.append(work, readyAt: tickClock.schedulingTime())
        // As `requestTick` would find out, which costs two locked instructions.
        if shared.pending.isSuperset(of: [.ready, .underWay]) {
            instruments.countSparedRequest()
        } else {
            shared.requestTick(for: .ready)
        }
    }

    /// Adds a timer, and tells the backend if it would sleep past it.
    func arm(_ action: consuming CallbackTable.Action, _ deadline: Nanoseconds, _ site: CallSite) -> CallbackHandle {
        shared.trace?(.timerArmed)
        let isNearest = deadline < timers.nearest
        let handle = timers.arm(action, deadline, site)
        if isNearest { nearestDeadlineChanged() }
        return handle
    }

    func cancel(_ handle: CallbackHandle) {
        thread.check("CallbackHandle.cancel")
        guard let cancelled = callbacks.cancel(handle) else { return }
        if cancelled.place == .timers {
            let nearest = timers.nearest
            timers.noteCancelled(handle.slot)
            if timers.nearest != nearest { nearestDeadlineChanged() }
        }
        // What the callback captured goes here, when nothing of the loop is being changed.
        withExtendedLifetime(cancelled.action) {}
    }

    /// Publishes the nearest deadline outside of ticks; a tick does so once, at its end.
    private func nearestDeadlineChanged() {
        guard !tickState.isTicking, admission.state == .open else { return }
        publishDeadline()
    }

    func publishDeadline() {
        // Deadlines in virtual time mean nothing to the kernel.
        guard !time.isVirtual else { return }
        let deadline = timers.nearest
        // One that has come needs no other thread to find it out, and is not published: what is published is what the backend was
        // woken for, or will wake for.
        if deadline < shared.publishedDeadline, deadline <= (tickState.isTicking ? tickClock.mark : time.now) {
            return shared.requestTick(for: .ready)
        }
        shared.publish(deadline)
    }

    func watch(
        _ fd: FileDescriptor, _ direction: IOHandle.Direction, _ action: IOHandle.Action, _ site: CallSite,
        isOurs: Bool = false, isOwned: Bool = false
    ) throws(GuestError) -> IOHandle {
        try admission.admit("GuestLoop.whenReadable or whenWritable")
        let handle = IOHandle(fd, direction, action, site: site, isOurs: isOurs, table: io.registrations)
        try io.registrations.add(handle, isOwned: isOwned)
        return handle
    }
}
