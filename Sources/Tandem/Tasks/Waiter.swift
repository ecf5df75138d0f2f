// SPDX-License-Identifier: Apache-2.0
// Waiter: one task that waits for a timer, a descriptor or another event of the loop.
// Idea:   the event or the cancellation, whichever comes first, decides the outcome of the wait and removes the other.
//         After that the outcome does not change: if the event has taken something from the kernel or from a queue, the
//         task receives it, even if it is cancelled, or its loop ends, before the task runs again. The task sees the
//         cancellation at its next wait.
// Owner:  the UI thread. Only `wasCancelled` may be called on another thread; it then passes through the inbox.
// Breaks: if a cancellation replaced an outcome, an event, a connection or a result that nobody else has would be lost.

package final class Waiter: CancellableWait, @unchecked Sendable {
    // Safe to send: every field is used on the UI thread only; `wasCancelled` sends its work there. The task reads the
    // outcome after it was resumed, when nobody writes it any more.

    /// How to remove what would have resumed the task: its timer, its registration or its place in a queue.
    package enum Disarm {
        case nothing
        case timer(CallbackHandle)
        case watch(IOHandle)
        case call(() -> Void)
    }

    // Safe: a task waits inside of a call of the loop or of a socket, whose caller holds it, and with it the loop, until the
    // task has gone on; after that the waiter does not use it. Not a reference: the loop is also referred to weakly, and then Swift needs 170 instructions to
    // take one and give it back.
    private let loop: Unmanaged<GuestLoop>
    /// The actor in whose isolation the task waits, and on which it resumes, if the loop knows it.
    private var actor: KnownActor?
    // Exclusivity of these is not checked: no method calls user code while it changes one.
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @exclusivity(unchecked) private var disarm = Disarm.nothing
    /// Set once. That may be before the task is suspended: by a cancellation, or inside `arm`.
    @exclusivity(unchecked) private var outcome: Result<Void, any Error>?
    /// The timer that ends the wait when it has lasted too long.
    @exclusivity(unchecked) private var limit: CallbackHandle?
    /// A description of the wait for reports, if the waiter is in the loop's list. Sleeps and waits for descriptors are
    /// not in that list: reports find them by their handles.
    @exclusivity(unchecked) private(set) var note: WaitNote?
    /// Its place in that list.
    @exclusivity(unchecked) private(set) var place = MemberList<Waiter>.none
    /// When the wait began, by the machine's clock, for reports. Not read for this: it is the last reading of the tick's clock.
    @exclusivity(unchecked) private(set) var began: Nanoseconds = 0

    init(loop: GuestLoop, isolation: (any Actor)?) {
        self.loop = .passUnretained(loop)
        actor = loop.knownActor(isolation)
    }

    /// The outcome is decided, and the task has been resumed.
    var isOver: Bool { outcome != nil && continuation == nil }

    /// The wait is over, and nobody refers to this waiter but the caller, whose next wait on the same loop it is from now on.
    func beginAnew(_ isolation: (any Actor)?) {
        outcome = nil
        actor = withLoop { $0.knownActor(isolation) }
    }

    @inline(__always) private func withLoop<Result>(_ body: (GuestLoop) -> Result) -> Result {
        loop._withUnsafeGuaranteedRef(body)
    }

    /// Suspends the task: stores the continuation, unless the outcome is known already. `arm` sets up what will resume
    /// the task, and returns how to remove that again. It may resume the waiter itself.
    @inline(__always)
    func begin(_ continuation: UnsafeContinuation<Void, Never>, arm: () throws -> Disarm) {
        withLoop { $0.thread.check("the beginning of a wait") }
        if outcome == nil {
            do {
                let disarm = try arm()
                if outcome == nil {
                    self.disarm = disarm
                    self.continuation = continuation
                    began = withLoop { $0.tickState.clock.mark }
                    return
                }
                if case .failure = outcome { run(disarm) }
            } catch {
                outcome = .failure(error)
            }
        }
        goOnAtOnce(continuation)
    }

    private func goOnAtOnce(_ continuation: UnsafeContinuation<Void, Never>) {
        endLimit()
        leaveList()
        withLoop { loop in loop.resuming(on: actor) { continuation.resume() } }
    }

    /// Another thread: the loop has closed, and accepts no waits.
    func refuse(_ continuation: UnsafeContinuation<Void, Never>) {
        outcome = .failure(GuestError.closed)
        continuation.resume()
    }

    /// Called by the task after it was resumed. Throws the error that has ended the wait, if there is one.
    @inline(__always) func finish() throws {
        if case .failure(let error) = outcome { throw error }
    }

    /// Adds the waiter to the loop's list of waits that are neither timers nor descriptors. The end of the loop finds
    /// them there. The waiter leaves the list when the wait ends.
    func list(_ note: WaitNote) {
        self.note = note
        withLoop { $0.members.add(self) }
    }

    /// Called by the list.
    func takePlace(_ new: Int32) { place = new }

    /// Ends the wait with the error that `error` returns, if it still lasts after `duration`.
    func setLimit(_ duration: Duration, _ site: CallSite, _ error: @escaping () -> any Error) {
        limit = withLoop { loop in
            let deadline = loop.time.now.addingClamped(max(0, duration.nanosecondsRoundedUp))
            return loop.arm(.call { [weak self] in self?.resume(throwing: error()) }, deadline, site)
        }
    }

    private func endLimit() {
        limit?.cancel()
        limit = nil
    }

    /// UI thread: the wait has begun and its outcome is not decided yet.
    package var isWaiting: Bool { continuation != nil }

    /// Ends the wait with success. Does nothing if the outcome is decided: check `isWaiting` before you take anything
    /// for the task.
    package func resume() {
        disarm = .nothing
        guard outcome == nil else { return }
        outcome = .success(())
        goOn()
    }

    /// Ends the wait with an error. Does nothing if the outcome is decided.
    func resume(throwing error: any Error) {
        guard outcome == nil else { return }
        outcome = .failure(error)
        let disarm = self.disarm
        self.disarm = .nothing
        run(disarm)
        goOn()
    }

    private func run(_ disarm: Disarm) {
        switch disarm {
        case .nothing: break
        case .timer(let handle): handle.cancel()
        case .watch(let handle): handle.cancel()
        case .call(let body): body()
        }
    }

    /// The outcome has been decided: resumes the task, if it is suspended already. If not, `begin` finds the outcome.
    private func goOn() {
        let continuation = self.continuation
        self.continuation = nil
        if limit != nil { endLimit() }
        // Read before the note goes.
        let site = note?.site
        leaveList()
        guard let continuation else { return }
        withLoop { loop in
            loop.attributing(to: site) { loop.resuming(on: actor) { continuation.resume() } }
        }
    }

    /// Any thread: the task was cancelled.
    override func wasCancelled() {
        if withLoop({ $0.thread.isCurrent }) {
            resume(throwing: CancellationError())
        } else {
            // If this is refused, the loop has closed, and closing has resumed every waiter.
            withLoop { _ = $0.postInternally { self.resume(throwing: CancellationError()) } }
        }
    }

    private func leaveList() {
        guard note != nil else { return }
        note = nil
        withLoop { $0.members.remove(self) }
    }
}

// The functions below run in their caller's isolation (`nonisolated(nonsending)`, the module's default), as does
// `CancellableWait.suspend`. Without that each wait would leave the caller's actor for the global pool and come back.

extension Waiter {
    /// Suspends the calling task, which runs on the UI thread, until this waiter is resumed by what `arm` has set up.
    @inline(__always)
    func wait(arm: (Waiter) throws -> Disarm) async throws {
        // Safe without checks: a waiter resumes its continuation at most once, and whatever ends the loop ends every wait.
        await suspend { continuation in begin(continuation) { try arm(self) } }
        try finish()
    }
}

extension GuestLoop {
    /// Suspends the calling task, which runs on the UI thread, until its waiter is resumed by what `arm` has set up.
    @inline(__always)
    func waitHere(arm: (Waiter) throws -> Waiter.Disarm) async throws {
        try await Waiter(loop: self, isolation: #isolation).wait(arm: arm)
    }

    /// UI thread, for hosts: suspends the calling task until its waiter is resumed by what `arm` has set up, the task
    /// is cancelled, or the loop ends. `arm` returns how to remove again what it has set up.
    package func wait(
        for reason: String, site: CallSite, arm: (Waiter) throws -> () -> Void
    ) async throws {
        try Task.checkCancellation()
        try admission.admit("a wait for a host's event")
        try await waitHere { waiter in
            let disarm = try arm(waiter)
            waiter.list(WaitNote(kind: .other, site: site, reason: reason))
            return .call(disarm)
        }
    }

    /// Suspends the calling task until its waiter is resumed by what `arm` has set up. Generic and nonisolated code may
    /// call it on another thread; then `arm` is sent to the UI thread.
    func waitFromAnywhere(arm: @escaping @Sendable (Waiter) throws -> Waiter.Disarm) async throws {
        if try admitWaitHere() { try await waitHere(arm: arm) } else { try await waitFromElsewhere(arm: arm) }
    }

    /// Any thread: throws if no wait may begin. Returns whether this is the UI thread.
    @inline(__always) func admitWaitHere() throws -> Bool {
        // Before all else: a wait of a cancelled task throws `CancellationError`, whatever the state of the loop.
        try Task.checkCancellation()
        if admission.isClosed { throw GuestError.closed }
        guard thread.isCurrent else { return false }
        try admission.admitWait()
        return true
    }

    private func waitFromElsewhere(arm: @escaping @Sendable (Waiter) throws -> Waiter.Disarm) async throws {
        shared.countHandedOverWait()
        let waiter = Waiter(loop: self, isolation: #isolation)
        await waiter.suspend { continuation in
            let isAccepted = postInternally {
                waiter.begin(continuation) {
                    try self.admission.admitWait()
                    return try arm(waiter)
                }
            }
            if !isAccepted { waiter.refuse(continuation) }
        }
        try waiter.finish()
    }
}
