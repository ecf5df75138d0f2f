// SPDX-License-Identifier: Apache-2.0
// RegistrationTable: the watches of each descriptor.
// Idea:   descriptors are small numbers, so the table is an array, and an event finds its registration in one step.
// Owner:  the UI thread.

import Glibc
import SystemPackage
import TandemCLinux

final class RegistrationTable {
    typealias Ended = (handle: IOHandle, action: IOHandle.Action)

    let poller: Poller
    let thread: UIThread
    // Safe: allocated in `grow`, all of it initialised, freed in deinit. No pointer into it is kept while user code
    // runs.
    @exclusivity(unchecked) private var slots: UnsafeMutablePointer<Registration>?
    @exclusivity(unchecked) private var capacity: Int32 = 0
    private var nextGeneration: UInt32 = 0
    private(set) var count = 0
    /// For each descriptor: how often in a row the kernel has refused to change the entry.
    private var refusals: [Int32: Int] = [:]
    private var staleReports = StaleReports()
    /// Called with watches that have ended without being cancelled, and the cause.
    var onEnded: (Int32, [Ended], Errno) -> Void = { _, _, _ in }
    /// Called when the kernel has refused to change an entry. The callee has to call ``tryAgain(_:_:)`` later.
    var onRefused: (Int32, UInt32, Errno, _ attempt: Int) -> Void = { _, _, _, _ in }
    /// Called when the entry of a closed descriptor was removed by making a new epoll set, or could not be.
    var onOrphan: (Int32, Errno?) -> Void = { _, _ in }

    init(poller: Poller, thread: UIThread) {
        self.poller = poller
        self.thread = thread
    }

    deinit {
        slots?.deinitialize(count: Int(capacity))
        slots?.deallocate()
    }

    /// Adds a watch. One system call, none where the wait before has left the entry armed; two or three where an old
    /// registration turns out to be stale.
    ///
    /// - Parameter isOwned: The descriptor's only owner adds the watch, and will end it before closing the descriptor.
    func add(_ handle: IOHandle, isOwned: Bool) throws(GuestError) {
        let fd = handle.fd
        guard fd >= 0 else {
            throw GuestError(
                .badDescriptor, errno: .badFileDescriptor,
                "descriptor \(fd) is negative; was its open or socket call checked?")
        }
        guard let present = self[fd] else { return try addNew(handle, isOwned) }
        if let other = present.pointee[handle.direction] {
            guard isAlive(fd) else {
                evict(fd)
                return try addNew(handle, isOwned)
            }
            throw GuestError(
                .alreadyRegistered,
                "descriptor \(fd) is watched already until \(handle.direction.rawValue), since \(other.site); "
                    + "cancel that watch first, or share it")
        }
        // There is a new watch, so everything that is ready is reported again.
        let idle = present.pointee.idle
        present.pointee.idle = []
        switch tell(handle, EPOLL_CTL_MOD) {
        case nil: if isOwned { present.pointee.noteOwner() }
        // Another file has the number now.
        case .some(.noSuchFileOrDirectory):
            evict(fd)
            try addNew(handle, isOwned)
        case .some(let failure):
            present.pointee.idle = idle
            if failure == .badFileDescriptor { evict(fd) }
            throw .refused(fd, failure)
        }
    }

    private func addNew(_ handle: IOHandle, _ isOwned: Bool) throws(GuestError) {
        let fd = handle.fd
        if fd >= capacity { grow(to: fd) }
        slots![Int(fd)] = Registration(generation: nextGeneration)
        if isOwned { slots![Int(fd)].noteOwner() }
        var failure = tell(handle, EPOLL_CTL_ADD)
        // An earlier entry could not be removed from the epoll set. It is changed into this one.
        if failure == .fileExists { failure = tell(handle, EPOLL_CTL_MOD) }
        if let failure {
            slots![Int(fd)] = .none
            throw .refused(fd, failure)
        }
        // A generation of all ones is reserved for the wake pipe.
        nextGeneration = nextGeneration == .max - 1 ? 0 : nextGeneration + 1
        count += 1
    }

    /// Adds a watch and tells the kernel. If the kernel refuses, nothing is changed.
    private func tell(_ handle: IOHandle, _ operation: Int32) -> Errno? {
        let registration = slots! + Int(handle.fd)
        registration.pointee[handle.direction] = handle
        let wanted = registration.pointee.wanted
        // The wait before has left the entry armed.
        let isArmed = operation == EPOLL_CTL_MOD && registration.pointee.isOwned && wanted == registration.pointee.armed
        if !isArmed, let failure = control(operation, handle.fd, wanted) {
            registration.pointee[handle.direction] = nil
            return failure
        }
        registration.pointee.armed = wanted
        if handle.isOneShot { registration.pointee.countWait() }
        return nil
    }

    /// Removes a watch from the epoll set, at once: an entry that stays could report a duplicate of a closed descriptor
    /// for ever.
    func remove(_ handle: IOHandle) {
        guard let registration = self[handle.fd], registration.pointee[handle.direction] === handle else { return }
        registration.pointee[handle.direction] = nil
        update(handle.fd)
    }

    /// Tells the kernel which events are wanted now.
    private func update(_ fd: Int32) {
        let registration = slots! + Int(fd)
        let (wanted, armed) = (registration.pointee.wanted, registration.pointee.armed)
        if wanted.isEmpty {
            // A one-shot entry that has had its event reports nothing. It stays in the set, so that the next wait costs
            // one system call instead of two.
            guard !armed.isEmpty else { return }
            removeEntry(fd)
            drop(fd)
        } else if wanted != armed {
            switch control(EPOLL_CTL_MOD, fd, wanted) {
            case nil:
                registration.pointee.armed = wanted
                if !refusals.isEmpty { refusals[fd] = nil }
            // The descriptor was closed. Or another file has the number, which must not get the watches of the old one.
            case .some(.badFileDescriptor), .some(.noSuchFileOrDirectory): evict(fd)
            case .some(let failure): noteRefusal(fd, failure)
            }
        }
    }

    private static let mostRefusals = 8

    /// Any other error does not prove that the descriptor was closed.
    private func noteRefusal(_ fd: Int32, _ failure: Errno) {
        let attempt = refusals[fd, default: 0] + 1
        guard attempt <= Self.mostRefusals else {
            removeEntry(fd)
            return evict(fd, failure)
        }
        refusals[fd] = attempt
        onRefused(fd, slots![Int(fd)].generation, failure, attempt)
    }

    /// Tells the kernel again which events are wanted, if it is still the same registration.
    func tryAgain(_ fd: Int32, _ generation: UInt32) {
        if self[fd, generation] != nil { update(fd) }
    }

    /// The entry that a wait has left armed reports what nobody waits for. From now on it reports nothing, until the next
    /// wait arms it.
    @inline(never) private func silence(_ fd: Int32) {
        slots![Int(fd)].noteLateReader()
        // Without one-shot the kernel would go on to report a hang-up, which needs not be asked for.
        guard control(EPOLL_CTL_MOD, fd, .once) != nil else { return }
        removeEntry(fd)
        drop(fd)
    }

    private func control(_ operation: Int32, _ fd: Int32, _ interest: Interest) -> Errno? {
        poller.control(operation, fd, events: interest.events, data: slots![Int(fd)].data(fd))
    }

    private func removeEntry(_ fd: Int32) { _ = poller.control(EPOLL_CTL_DEL, fd, events: 0, data: 0) }

    /// Calls `deliver` for each watch to which an event belongs; one-shot waits leave the table. `false` if the event
    /// is stale: it belongs to nobody.
    @inline(__always) func report(
        _ event: Poller.Event, at time: Nanoseconds, _ deliver: (consuming ReadyDescriptor) -> Void
    ) -> Bool {
        let fd = Int32(bitPattern: UInt32(truncatingIfNeeded: event.data))
        guard let registration = self[fd, UInt32(event.data >> 32)] else { return false }
        let isForNobody = registration.pointee.isArmedForNobody
        var needsUpdate = registration.pointee.armed.contains(.once)
        if needsUpdate { registration.pointee.armed = [] }
        // A hang-up or an error is reported in both directions: the read or write that follows says which it is.
        let isBroken = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        if registration.pointee.armed.contains(.changes), registration.pointee.concernsOthers(event, isBroken) {
            registration.pointee.idle = []
            needsUpdate = true
        }
        if isBroken || event.events & EPOLLIN.rawValue != 0,
            let reader = registration.pointee.noteReport(fd, .readable, at: time)
        {
            deliver(reader)
        }
        if isBroken || event.events & EPOLLOUT.rawValue != 0,
            let writer = registration.pointee.noteReport(fd, .writable, at: time)
        {
            deliver(writer)
        }
        if needsUpdate, !registration.pointee.wanted.isEmpty { update(fd) }
        if isForNobody { silence(fd) }
        return true
    }

    /// The watch whose event has come to its turn in the queue, unless the watch has ended meanwhile.
    ///
    /// - Parameter asks: User code has run since the poll. So, unless the descriptor has an owner, the kernel is asked
    ///   whether it is still the one that was polled. If it is not, its watches end.
    @inline(__always) func takeReport(_ report: borrowing ReadyDescriptor, asks: Bool) -> Unmanaged<IOHandle>? {
        guard let registration = self[report.number, report.generation],
            registration.pointee.takeReport(report.direction)
        else { return nil }
        if asks, !registration.pointee.isOwned, !isAlive(report.number) {
            evict(report.number)
            return nil
        }
        // Safe: the registration keeps it, until user code runs.
        return registration.pointee[report.direction].map { .passUnretained($0) }
    }

    /// The watch that will run, for reports of what waits.
    func handle(of report: borrowing ReadyDescriptor) -> IOHandle? {
        if let wait = report.wait { return wait }
        return self[report.number, report.generation]?.pointee[report.direction]
    }

    /// Whether the open file that was registered is still behind the number.
    func isAlive(_ fd: Int32) -> Bool {
        guard let registration = self[fd] else { return false }
        // Adding it again is the cheapest question that the kernel answers for the file and not for the number: EEXIST
        // means that the file is in the set, and nothing was changed.
        switch poller.control(EPOLL_CTL_ADD, fd, events: EPOLLONESHOT.rawValue, data: 0) {
        case .some(.fileExists): return true
        // Another file has the number, and was not in the set.
        case nil:
            removeEntry(fd)
            return false
        // No file has the number, or a file that cannot be waited for.
        case .some(.badFileDescriptor), .some(.notPermitted): return false
        // The kernel had no memory, or (for an epoll set that is nested too deeply in others by now) refused before it
        // looked for the file. Changing the entry into what it is needs no memory, and gives an answer.
        case .some:
            let armed = registration.pointee.armed
            guard !armed.isEmpty, let failure = control(EPOLL_CTL_MOD, fd, armed) else { return true }
            return failure != .badFileDescriptor && failure != .noSuchFileOrDirectory
        }
    }

    /// As ``isAlive(_:)``. If the file no longer has the number, its watches end.
    func isStillThere(_ handle: IOHandle) -> Bool {
        guard let registration = self[handle.fd], registration.pointee[handle.direction] === handle else {
            return false
        }
        if registration.pointee.isOwned || isAlive(handle.fd) { return true }
        evict(handle.fd)
        return false
    }

    /// Removes a registration whose descriptor was closed (or which, with another cause, the kernel will not watch any
    /// more), and calls `onEnded`.
    func evict(_ fd: Int32, _ cause: Errno = .badFileDescriptor) {
        let ended = end(fd)
        drop(fd)
        onEnded(fd, ended, cause)
    }

    /// The watches, by descriptor. O(n); for reports.
    var handles: [IOHandle] { numbers.flatMap { [slots![$0].reader, slots![$0].writer].compactMap { $0 } } }

    /// The users' watches that stay until they are cancelled. O(n); for reports.
    var watched: [(fd: Int32, direction: IOHandle.Direction, site: CallSite)] {
        handles.filter { !$0.isOneShot && !$0.isDone && !$0.site.isOfLibrary }.map { ($0.fd, $0.direction, $0.site) }
    }

    /// Whether nobody but this table has a reference to the watch's handle, so that nobody can cancel it.
    func isUnreferenced(_ fd: Int32, _ direction: IOHandle.Direction) -> Bool {
        self[fd]?.pointee.isUnreferenced(direction) ?? false
    }

    /// The descriptor's owner is about to close it. Its entry is removed first, since a duplicate would keep the entry
    /// after the close. Ends the watches; the caller resumes the tasks that wait.
    func retire(_ fd: Int32) -> [Ended] {
        guard let registration = self[fd] else { return [] }
        if !registration.pointee.armed.isEmpty { removeEntry(fd) }
        let ended = end(fd)
        drop(fd)
        return ended
    }

    /// The handler seems to do nothing: the entry reports changes only, until ``reportAll(_:)``, or an event for
    /// another watch.
    func reportChanges(_ handle: IOHandle) {
        guard let registration = self[handle.fd], registration.pointee[handle.direction] === handle else { return }
        registration.pointee.idle.insert(handle.direction.interest)
        update(handle.fd)
    }

    /// A socket's next wait asks the kernel what is there already.
    func makeNextWaitOneShot(_ fd: Int32) { self[fd]?.pointee.makeNextWaitOneShot() }

    /// The entry reports what is ready, at each poll.
    func reportAll(_ handle: IOHandle) {
        guard let registration = self[handle.fd], registration.pointee[handle.direction] === handle else { return }
        guard registration.pointee.idle.remove(handle.direction.interest) != nil else { return }
        update(handle.fd)
    }

    /// Empties the table without calling the kernel, whose epoll set is about to be closed. Ends all watches.
    func removeAll() -> [Ended] {
        let ended = numbers.flatMap { end(Int32($0)) }
        for fd in numbers { slots![fd] = .none }
        count = 0
        return ended
    }

    private func end(_ fd: Int32) -> [Ended] {
        guard let registration = self[fd] else { return [] }
        let handles = [registration.pointee.reader, registration.pointee.writer].compactMap { $0 }
        registration.pointee[.readable] = nil
        registration.pointee[.writable] = nil
        return handles.map { ($0, $0.end()) }
    }

    private func drop(_ fd: Int32) {
        guard let registration = self[fd] else { return }
        registration.pointee = .none
        if !refusals.isEmpty { refusals[fd] = nil }
        count -= 1
    }

    private var numbers: Range<Int> { 0..<Int(capacity) }

    private func grow(to fd: Int32) {
        let larger = max(64, fd + 1, capacity + capacity / 2)
        let moved = UnsafeMutablePointer<Registration>.allocate(capacity: Int(larger))
        if let slots {
            moved.moveInitialize(from: slots, count: Int(capacity))
            slots.deallocate()
        }
        (moved + Int(capacity)).initialize(repeating: .none, count: Int(larger - capacity))
        slots = moved
        capacity = larger
    }

    @inline(__always) private subscript(fd: Int32) -> UnsafeMutablePointer<Registration>? {
        guard fd >= 0, fd < capacity else { return nil }
        let registration = slots! + Int(fd)
        return registration.pointee.exists ? registration : nil
    }

    /// The same, unless the registration has another generation.
    @inline(__always) private subscript(fd: Int32, generation: UInt32) -> UnsafeMutablePointer<Registration>? {
        guard let registration = self[fd], registration.pointee.generation == generation else { return nil }
        return registration
    }
}

// MARK: - Entries of closed descriptors

extension RegistrationTable {
    /// An event has come that belongs to no registration. Either its watch ended after the poll had found it, which
    /// happens once, or its entry in the epoll set has outlived the watch and reports for ever. UI thread, which has
    /// the turn.
    func noteStale(_ event: Poller.Event, at now: Nanoseconds) {
        guard staleReports.noteReport(event.data, at: now) else { return }
        let fd = Int32(bitPattern: UInt32(truncatingIfNeeded: event.data))
        // By its number, if no other registration has it: the number may be open again, or the kernel may have refused
        // to remove the entry only for the moment.
        if self[fd] == nil, poller.control(EPOLL_CTL_DEL, fd, events: 0, data: 0) == nil { return }
        let failure = renewSet()
        if staleReports.noteRenewal(succeeded: failure == nil, at: now) { onOrphan(fd, failure) }
    }

    /// Makes a new epoll set with everything that is registered and still open.
    private func renewSet() -> Errno? {
        for fd in numbers.map(Int32.init) {
            guard let registration = self[fd] else { continue }
            if registration.pointee.wanted.isEmpty {
                drop(fd)
            } else if !registration.pointee.isOwned, !isAlive(fd) {
                evict(fd)
            }
        }
        let failure = poller.renew { set in
            for fd in numbers.map(Int32.init) {
                guard let registration = self[fd] else { continue }
                let failure = tandem_epoll_control(
                    set, EPOLL_CTL_ADD, fd, registration.pointee.wanted.events, registration.pointee.data(fd))
                if failure != 0 { return Errno(rawValue: failure) }
            }
            return nil
        }
        guard failure == nil else { return failure }
        for fd in numbers.map(Int32.init) { self[fd].map { $0.pointee.armed = $0.pointee.wanted } }
        return nil
    }
}
