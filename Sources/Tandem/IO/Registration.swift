// SPDX-License-Identifier: Apache-2.0
// Registration: one descriptor in the epoll set, with its reader and its writer.
// Idea:   the kernel hands back 64 bits: the number and a generation. A number that was closed and used again has another
//         generation, so that a report about the old file never reaches the new one's handler.
// Owner:  the UI thread.

import CLinux
import Glibc
import SystemPackage

final class Registration {
    let fd: Int32
    let generation: UInt32
    private(set) var reader: IOHandle?
    private(set) var writer: IOHandle?
    /// What the kernel was told last; 0 once a one-shot entry has reported.
    private var armed: UInt32 = 0
    /// Taken out of the epoll set for a while; see `UnattendedReadiness`.
    private var isPaused = false
    private unowned let table: RegistrationTable

    init(fd: Int32, generation: UInt32, table: RegistrationTable) {
        self.fd = fd
        self.generation = generation
        self.table = table
    }

    private var data: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: fd)) }

    private var wanted: UInt32 {
        var events: UInt32 = 0
        if reader != nil { events |= EPOLLIN.rawValue }
        if writer != nil { events |= EPOLLOUT.rawValue }
        if events != 0, reader?.isOneShot ?? true, writer?.isOneShot ?? true { events |= EPOLLONESHOT.rawValue }
        return events
    }

    subscript(direction: IOHandle.Direction) -> IOHandle? {
        get { direction == .readable ? reader : writer }
        set { if direction == .readable { reader = newValue } else { writer = newValue } }
    }

    /// Puts a watch in and tells the kernel; takes it out again if the kernel refuses.
    func add(_ handle: IOHandle, _ operation: Int32) -> Errno? {
        self[handle.direction] = handle
        // Somebody new is interested: a pause ends.
        let operation = isPaused ? EPOLL_CTL_ADD : operation
        isPaused = false
        if let failure = table.poller.control(operation, fd, events: wanted, data: data) {
            self[handle.direction] = nil
            return failure
        }
        armed = wanted
        handle.registration = self
        return nil
    }

    /// Takes a watch out, at once: an entry that lingered could report a duplicate of a closed descriptor for ever.
    func remove(_ handle: IOHandle) {
        guard self[handle.direction] === handle else { return }
        self[handle.direction] = nil
        handle.registration = nil
        update()
    }

    /// Tells the kernel what is wanted now. Failures mean that the descriptor was closed; then there is no entry either.
    private func update() {
        if wanted == 0 {
            if armed != 0 { _ = table.poller.control(EPOLL_CTL_DEL, fd, events: 0, data: 0) }
            // A one-shot entry that has reported is silent: it stays, so that the next wait costs one call instead of two.
            if armed != 0 || isPaused { table.drop(self) }
        } else if wanted != armed, !isPaused {
            if table.poller.control(EPOLL_CTL_MOD, fd, events: wanted, data: data) == nil { armed = wanted }
        }
    }

    /// Is the open file that was registered still behind the number?
    func isAlive() -> Bool {
        if isPaused { return fcntl(fd, F_GETFD) >= 0 }
        // Telling the kernel the same again is the only question that it answers for the file rather than for the number.
        // A silent entry is kept silent: with nothing asked for, only errors would be reported, once.
        let same = armed == 0 ? EPOLLONESHOT.rawValue : armed
        return table.poller.control(EPOLL_CTL_MOD, fd, events: same, data: data) == nil
    }

    /// The watches that a report is for. One-shot ones leave the registration.
    func report(_ events: UInt32, _ deliver: (IOHandle) -> Void) {
        if armed & EPOLLONESHOT.rawValue != 0 { armed = 0 }
        // A hang-up or an error is for whoever waits: a read or write will tell them which it is.
        let broken = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        if let reader, broken || events & EPOLLIN.rawValue != 0 { hand(reader, to: deliver) }
        if let writer, broken || events & EPOLLOUT.rawValue != 0 { hand(writer, to: deliver) }
        if armed == 0, wanted != 0 { update() }
    }

    private func hand(_ handle: IOHandle, to deliver: (IOHandle) -> Void) {
        if handle.isOneShot {
            self[handle.direction] = nil
            handle.registration = nil
        }
        deliver(handle)
    }

    /// Takes the entry out of the set and puts it back without touching the watches; for handlers that leave their data unread.
    func pause() {
        guard armed != 0 else { return }
        _ = table.poller.control(EPOLL_CTL_DEL, fd, events: 0, data: 0)
        armed = 0
        isPaused = true
    }

    /// Takes the entry out for good: a duplicate of the descriptor would keep it alive beyond the close.
    func silence() {
        if armed != 0 { _ = table.poller.control(EPOLL_CTL_DEL, fd, events: 0, data: 0) }
        armed = 0
    }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        guard wanted != 0 else { return }
        if table.poller.control(EPOLL_CTL_ADD, fd, events: wanted, data: data) == nil { armed = wanted }
    }

    /// Ends both watches; the caller resumes or reports what it gets.
    func endAll() -> [(handle: IOHandle, action: IOHandle.Action)] {
        let handles = [reader, writer].compactMap { $0 }
        reader = nil
        writer = nil
        return handles.map { handle in
            handle.registration = nil
            return (handle, handle.end())
        }
    }
}
