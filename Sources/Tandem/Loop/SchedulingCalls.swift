// SPDX-License-Identifier: Apache-2.0
// SchedulingCalls: the calls that give the loop work: callbacks, timers, descriptors and posts.
// Owner:  the UI thread; `post` may be called on any thread.

public import SystemPackage
import TandemCLinux

extension GuestLoop {
    /// Runs `body` soon: in the tick that runs now if its budget allows, otherwise in the next tick. Callbacks run in
    /// the order of the calls.
    ///
    /// O(1). On a closed loop nothing is scheduled: the handle is done from the start, and a warning is logged.
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

    /// Runs `body` once `delay` has passed, never earlier. With a zero or negative delay it runs soon, but not within
    /// this call. O(log n).
    ///
    /// On a loop that is closing or has closed no timer is set: the handle is done from the start, and a warning is
    /// logged.
    @discardableResult
    public func callLater(
        _ delay: Duration, fileID: StaticString = #fileID, line: UInt = #line,
        _ body: consuming @escaping () throws -> Void
    ) -> CallbackHandle {
        let site = CallSite(fileID: fileID, line: line)
        guard admission.admitsTimer("GuestLoop.callLater", site) else { return .done }
        return arm(.call(consume body), time.now.addingClamped(max(0, delay.nanosecondsRoundedUp)), site)
    }

    /// Runs `body` once the loop's clock (``now``) has reached `deadline`, never earlier. Timers run in the order of
    /// their deadlines, equal ones in the order of arming. O(log n).
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
    /// Level-triggered: as long as bytes are unread, `body` runs again. Cancel the handle before you close the
    /// descriptor. One system call.
    ///
    /// - Throws: `.badDescriptor` (negative, closed, or a regular file), `.alreadyRegistered`, `.closed`.
    public func whenReadable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .readable, .call(body), CallSite(fileID: fileID, line: line))
    }

    /// Runs `body` each time `fd` can be written, has hung up or failed, until the handle is cancelled. As
    /// ``whenReadable(_:fileID:line:_:)``; a descriptor is writable most of the time, so cancel when there is nothing
    /// to write.
    public func whenWritable(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () throws -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .writable, .call(body), CallSite(fileID: fileID, line: line))
    }

    /// Any thread: runs `body` on the UI thread, in the next tick. The posts of one thread run in the order of its
    /// calls. O(1), a lock.
    ///
    /// - Throws: `.closed` if the loop is closing or has closed, `.forked` in a forked child. An accepted post runs,
    ///   even if the loop closes before the next tick.
    public func post(
        fileID: StaticString = #fileID, line: UInt = #line, _ body: consuming @escaping @Sendable () throws -> Void
    ) throws(GuestError) {
        try admission.admitFromAnyThread()
        try shared.post(body, CallSite(fileID: fileID, line: line))
    }
}

// MARK: - Within the package

extension GuestLoop {
    /// A post of the library's own: it is not counted, and throws nothing. `false`: the loop has closed.
    @discardableResult
    func postInternally(_ body: @escaping @Sendable () -> Void) -> Bool {
        shared.deliver(.posted(body, CallSite()))
    }

    /// For hosts: a watch of the host's own, which is not part of a recorded run.
    package func serve(
        _ fd: FileDescriptor, fileID: StaticString = #fileID, line: UInt = #line, _ body: @escaping () -> Void
    ) throws(GuestError) -> IOHandle {
        try watch(fd, .readable, .call(body), CallSite(fileID: fileID, line: line), isOurs: true)
    }

    /// Enqueues a Swift job. In a frame's phase it goes into the phase's queue.
    func appendJob(_ work: consuming Work) {
        if queues.isInPhase {
            queues.appendToPhase(work, readyAt: tickState.clock.mark)
        } else {
            appendReady(work)
        }
    }

    /// Puts work into the queue, and asks for a tick if none runs. Inside a tick the last reading of the clock is used
    /// as the time at which it became ready.
    func appendReady(_ work: consuming Work) {
        if tickState.isTicking { return queues.append(work, readyAt: tickState.clock.mark) }
        queues.append(work, readyAt: tickState.clock.schedulingTime())
        // `requestTick` would find the same, with two locked instructions.
        if shared.pending.isSuperset(of: [.ready, .underWay]) {
            instruments.countSparedRequest()
        } else {
            shared.requestTick(for: .ready)
        }
    }

    /// Sets a timer, and wakes the backend if it would sleep past it.
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
        // What the callback has captured is released here, while nothing of the loop is being changed: a `deinit` may
        // call anything.
        withExtendedLifetime(cancelled.action) {}
    }

    /// Publishes the nearest deadline, outside ticks. A tick publishes it once, at its end.
    private func nearestDeadlineChanged() {
        guard !tickState.isTicking, admission.state == .open else { return }
        publishDeadline()
    }

    func publishDeadline() {
        // The kernel does not know virtual time.
        guard !time.isVirtual else { return }
        let deadline = timers.nearest
        // A deadline that has come already is not published: no other thread need find it out, and the published one is
        // always one for which the backend was woken, or will wake.
        if deadline < shared.publishedDeadline, deadline <= (tickState.isTicking ? tickState.clock.mark : time.now) {
            return shared.requestTick(for: .ready)
        }
        shared.publish(deadline)
    }

    func watch(
        _ fd: FileDescriptor, _ direction: IOHandle.Direction, _ action: IOHandle.Action, _ site: CallSite,
        isOurs: Bool = false, isOwned: Bool = false, reusing ended: IOHandle? = nil
    ) throws(GuestError) -> IOHandle {
        try admission.admit("GuestLoop.whenReadable or whenWritable")
        ended?.beginAnew(action, site)
        let handle = ended ?? IOHandle(fd, direction, action, site: site, isOurs: isOurs, table: io.registrations)
        do throws(GuestError) {
            try io.registrations.add(handle, isOwned: isOwned)
        } catch {
            _ = handle.end()
            throw error
        }
        return handle
    }
}
