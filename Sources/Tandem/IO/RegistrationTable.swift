// SPDX-License-Identifier: Apache-2.0
// RegistrationTable: which descriptor is watched by whom.
// Idea:   descriptors are small numbers, so that the table is an array and a report finds its registration in one step.
// Owner:  the UI thread.

import CLinux
import Glibc
import SystemPackage

final class RegistrationTable {
    let poller: Poller
    private var slots: [Registration?] = []
    private var nextGeneration: UInt32 = 0
    private(set) var count = 0
    /// Told of a registration whose descriptor was closed under it.
    var onStale: (Registration) -> Void = { _ in }

    init(poller: Poller) {
        self.poller = poller
    }

    /// Adds a watch. One system call; two or three where an old registration turns out to be stale.
    func add(_ handle: IOHandle) throws(GuestError) {
        let fd = handle.descriptor.rawValue
        guard fd >= 0 else {
            throw GuestError(
                .badDescriptor, errno: .badFileDescriptor,
                "descriptor \(fd) is negative; was its open or socket call checked?")
        }
        if let present = self[fd] {
            if present[handle.direction] != nil {
                guard present.isAlive() else {
                    evict(present)
                    return try addNew(handle, fd)
                }
                throw GuestError(
                    .alreadyRegistered,
                    "descriptor \(fd) is watched already until \(handle.direction.rawValue), since \(present[handle.direction]!.site); "
                        + "cancel that watch first, or share it")
            }
            switch present.add(handle, EPOLL_CTL_MOD) {
            case nil: return
            // Another file has the number now.
            case .some(.noSuchFileOrDirectory): evict(present)
            case .some(let failure):
                if failure == .badFileDescriptor { evict(present) }
                throw refusal(fd, failure)
            }
        }
        try addNew(handle, fd)
    }

    private func addNew(_ handle: IOHandle, _ fd: Int32) throws(GuestError) {
        let registration = Registration(fd: fd, generation: nextGeneration, table: self)
        if let failure = registration.add(handle, EPOLL_CTL_ADD) { throw refusal(fd, failure) }
        // All ones is the wake pipe's.
        nextGeneration = nextGeneration == .max - 1 ? 0 : nextGeneration + 1
        self[fd] = registration
        count += 1
    }

    private func refusal(_ fd: Int32, _ failure: Errno) -> GuestError {
        switch failure {
        case .badFileDescriptor:
            GuestError(.badDescriptor, errno: failure, "descriptor \(fd) is not open; register it before closing it")
        case .notPermitted:
            GuestError(
                .badDescriptor, errno: failure,
                "descriptor \(fd) cannot be waited for; a regular file is always ready, so read it directly, on a worker if it is large"
            )
        case .noSpace, .noMemory:
            GuestError(
                .startFailed, errno: failure, "the kernel has no room for descriptor \(fd) (fs.epoll.max_user_watches)")
        default:
            GuestError(.badDescriptor, errno: failure, "the kernel refused to watch descriptor \(fd)")
        }
    }

    /// The registration that a report is about; `nil` if it is gone, and the report stale.
    func registration(for data: UInt64) -> Registration? {
        guard let registration = self[Int32(bitPattern: UInt32(truncatingIfNeeded: data))],
            registration.generation == UInt32(data >> 32)
        else { return nil }
        return registration
    }

    /// Forgets a registration whose descriptor was closed, and tells.
    func evict(_ registration: Registration) {
        drop(registration)
        onStale(registration)
    }

    /// The watches, by descriptor. O(n); for reports.
    var handles: [IOHandle] { slots.flatMap { [$0?.reader, $0?.writer].compactMap { $0 } } }

    /// The descriptor's owner is about to close it: its entry goes first. Returns the registration, whose watches the caller ends.
    func retire(_ fd: Int32) -> Registration? {
        guard let registration = self[fd] else { return nil }
        registration.silence()
        drop(registration)
        return registration
    }

    func drop(_ registration: Registration) {
        guard self[registration.fd] === registration else { return }
        self[registration.fd] = nil
        count -= 1
    }

    /// Empties the table without asking the kernel, whose set is about to be closed.
    func removeAll() -> [Registration] {
        let all = slots.compactMap { $0 }
        slots = []
        count = 0
        return all
    }

    private subscript(fd: Int32) -> Registration? {
        get { fd >= 0 && Int(fd) < slots.count ? slots[Int(fd)] : nil }
        set {
            while slots.count <= Int(fd) { slots.append(nil) }
            slots[Int(fd)] = newValue
        }
    }
}
