// SPDX-License-Identifier: Apache-2.0
// WaitingReport: a list of what waits on a loop: the answer to "why does nothing happen?".
// Owner:  the UI thread makes it on demand. Nothing is stored for it except what the waits have anyway.

public import SystemPackage

/// Something that waits on a loop: what it is, what it waits for, and where it was made.
public struct WaitingReport: Sendable, Hashable, CustomStringConvertible {
    /// What waits.
    public enum Kind: String, Sendable, Hashable {
        /// A callback or a piece of async code that the next tick will run.
        case ready
        /// A timer that has not fired.
        case timer
        /// A task that sleeps on the loop's clock.
        case sleep
        /// A task that sleeps on a ``GameClock``.
        case gameSleep
        /// A handler or a task that waits for a descriptor.
        case descriptor
        /// A task that waits for a frame.
        case frame
        /// An async main function, started by ``GuestLoop/run(fileID:line:_:onDone:)``, that has not ended.
        case run
        /// A task in another kind of wait on the loop.
        case other
    }

    /// What waits.
    public let kind: Kind
    /// Where it was made, if that is known. Swift's own sleeps do not say.
    public let site: CallSite?
    /// When it is due, by the loop's clock; `nil` if it does not depend on the time, or depends on another clock.
    public let deadline: ContinuousClock.Instant?
    /// The descriptor that it waits for.
    public let descriptor: FileDescriptor?
    /// What it waits for, in words.
    public let reason: String
    /// For how long a task has waited, by the machine's clock, give or take the length of a tick; of a run, for how long it has run. `nil` where
    /// nobody has written that down: of callbacks, timers and handlers.
    public let waited: Duration?
    /// Nobody awaits it or can cancel it: a run without `onDone` that no task awaits, a handler whose handle was let go.
    public let isLost: Bool

    init(
        kind: Kind, site: CallSite?, deadline: ContinuousClock.Instant? = nil, descriptor: FileDescriptor? = nil,
        reason: String, began: Nanoseconds? = nil, isLost: Bool = false
    ) {
        self.kind = kind
        waited = began.map { .nanoseconds(max(0, LoopClock.machine - $0)) }
        self.isLost = isLost
        self.site = site?.known.flatMap { $0.isOfLibrary ? nil : $0 }
        self.deadline = deadline
        self.descriptor = descriptor
        self.reason = reason
    }

    /// The reason and the place, in one line.
    public var description: String { site.map { "\(reason), from \($0)" } ?? reason }
}

/// The description of a wait, for reports.
struct WaitNote {
    let kind: WaitingReport.Kind
    let site: CallSite?
    let reason: String
}

extension CallSite {
    /// A handler of the library's own, for which no user code waits.
    var isOfLibrary: Bool { fileID.hasPrefix("Tandem/") || fileID.hasPrefix("TandemSDL/") }
}

extension GuestLoop {
    /// What waits on this loop at the moment: first what is ready, then timers and sleeps by deadline, descriptors,
    /// other waits, and runs. UI thread. O(n log n); for messages and tests.
    public var waiting: [WaitingReport] {
        thread.check("GuestLoop.waiting")
        var reports: [WaitingReport] = []
        io.visit {
            if let handle = io.registrations.handle(of: $0), !handle.isDone,
                handle.isOneShot || !handle.site.isOfLibrary
            {
                reports.append(Self.ready(handle.site))
            }
        }
        timers.visitDue { if let report = reportReady($0) { reports.append(report) } }
        queues.visit { if let report = report($0.work) { reports.append(report) } }
        reports += timers.inOrder.compactMap { report($0.slot, deadline: $0.deadline) }
        let lost = Set(lostWatches)
        reports += io.registrations.handles.compactMap { report($0, lost) }
        reports += members.waiters.map { waiter in
            let note = waiter.note
            return WaitingReport(
                kind: note?.kind ?? .other, site: note?.site, reason: note?.reason ?? "a task", began: waiter.began)
        }
        reports += (members.frameQueues?.waiters ?? []).map {
            WaitingReport(
                kind: .frame, site: $0.site, reason: "a task that waits for the \($0.phase) phase of a frame",
                began: $0.began)
        }
        reports += (members.frameQueues?.handlers.all ?? []).map {
            WaitingReport(
                kind: .frame, site: $0.site, reason: "a handler of the \($0.phase) phase of each frame")
        }
        reports += members.runs.values.map {
            WaitingReport(
                kind: .run, site: $0.site, reason: "a run that has not ended", began: $0.began, isLost: !$0.isAwaited)
        }
        return reports
    }

    private func report(_ work: borrowing Work) -> WaitingReport? {
        switch work {
        case .callback(let slot): reportReady(slot)
        case .posted(_, let site): site.isOfLibrary ? nil : Self.ready(site, "a post that is ready")
        case .job: Self.ready(nil, "a task that is ready to go on")
        case .continuation: Self.ready(nil, "a task that lets others run first")
        }
    }

    private func reportReady(_ slot: UInt32) -> WaitingReport? {
        let record = callbacks.record(slot).pointee
        switch record.action {
        case .none: return nil
        case .call: return record.site.isOfLibrary ? nil : Self.ready(record.site)
        case .resume: return Self.ready(record.site, "a task whose sleep has ended")
        }
    }

    private static func ready(_ site: CallSite?, _ reason: String = "a callback that is ready") -> WaitingReport {
        WaitingReport(kind: .ready, site: site, reason: reason)
    }

    private func report(_ slot: UInt32, deadline: Nanoseconds) -> WaitingReport? {
        let record = callbacks.record(slot).pointee
        let (kind, name, began): (WaitingReport.Kind, String, Nanoseconds?)
        switch record.action {
        case .none: return nil
        case .call:
            guard !record.site.isOfLibrary else { return nil }
            (kind, name, began) = (.timer, "a timer", nil)
        case .resume(let waiter): (kind, name, began) = (.sleep, "a sleep", waiter.began)
        }
        let left = Duration.nanoseconds(max(0, deadline.addingClamped(-time.now)))
        return WaitingReport(
            kind: kind, site: record.site, deadline: time.instant(at: deadline),
            reason: deadline == .never ? "\(name) that is never due" : "\(name), due in \(left)", began: began)
    }

    private func report(_ handle: IOHandle, _ lost: Set<LostWatch>) -> WaitingReport? {
        let (name, began): (String, Nanoseconds?)
        switch handle.action {
        case .none: return nil
        case .call:
            guard !handle.site.isOfLibrary else { return nil }
            (name, began) = ("a handler", nil)
        case .resume(let waiter): (name, began) = ("a task that waits", waiter.began)
        }
        return WaitingReport(
            kind: .descriptor, site: handle.site, descriptor: handle.descriptor,
            reason: "\(name) until descriptor \(handle.descriptor.rawValue) is \(handle.direction.rawValue)",
            began: began,
            isLost: lost.contains(LostWatch(fd: handle.fd, direction: handle.direction, site: handle.site)))
    }
}
