// SPDX-License-Identifier: Apache-2.0
// Registration: one descriptor in the epoll set, with its reader and its writer, in 24 bytes.
// Idea:   the kernel returns 64 bits with each event: the number and a generation. A number that was closed and used
//         again has another generation, so that an event of the old file never reaches the handler of the new one.
// Owner:  the UI thread. `RegistrationTable` stores it and calls the kernel.

import Glibc
import TandemCLinux

/// The events that epoll is asked for.
struct Interest: OptionSet {
    let rawValue: UInt8

    static let readable = Interest(rawValue: 1)
    static let writable = Interest(rawValue: 2)
    /// One event, then none until it is armed again (EPOLLONESHOT).
    static let once = Interest(rawValue: 4)
    /// Changes only: an event when something is added, and none for what is still there (EPOLLET).
    static let changes = Interest(rawValue: 8)

    /// In the kernel's bits.
    var events: UInt32 {
        (contains(.readable) ? EPOLLIN.rawValue : 0) | (contains(.writable) ? EPOLLOUT.rawValue : 0)
            | (contains(.once) ? EPOLLONESHOT.rawValue : 0) | (contains(.changes) ? EPOLLET.rawValue : 0)
    }
}

extension IOHandle.Direction {
    var interest: Interest { self == .readable ? .readable : .writable }
}

struct Registration {
    /// Other properties.
    private struct Traits: OptionSet {
        let rawValue: UInt8

        /// Not set in a slot of the table where nothing is registered.
        static let exists = Traits(rawValue: 1)
        /// The reader's or the writer's handler seems to do nothing; see `IdleHandlers`.
        static let idleReader = Traits(rawValue: 2)
        static let idleWriter = Traits(rawValue: 8)
        /// A `GuestSocket` owns the descriptor. It ends the watches before it closes the descriptor.
        static let owned = Traits(rawValue: 4)
        // The bits from 16 on are `oneShotWaits`.
    }

    private(set) var reader: IOHandle?
    private(set) var writer: IOHandle?
    let generation: UInt32
    /// What the kernel was last asked for; empty once a one-shot entry has had its event, or was silenced.
    var armed: Interest = []
    /// The directions whose event is in the loop's queue, so that a second event does not add a second entry.
    private var queued: Interest = []
    /// The directions in which a wait, which ends with its event, is registered.
    private var oneShots: Interest = []
    private var traits: Traits

    static var none: Registration { Registration(generation: 0, traits: []) }

    init(generation: UInt32) { self.init(generation: generation, traits: .exists) }

    private init(generation: UInt32, traits: Traits) {
        self.generation = generation
        self.traits = traits
    }

    var exists: Bool { traits.contains(.exists) }
    var isOwned: Bool { traits.contains(.owned) }
    /// The directions whose handlers seem to do nothing. The entry then reports changes only, until there is an event
    /// for another direction.
    var idle: Interest {
        get {
            var idle: Interest = []
            if traits.contains(.idleReader) { idle.insert(.readable) }
            if traits.contains(.idleWriter) { idle.insert(.writable) }
            return idle
        }
        set {
            traits.subtract([.idleReader, .idleWriter])
            if newValue.contains(.readable) { traits.insert(.idleReader) }
            if newValue.contains(.writable) { traits.insert(.idleWriter) }
        }
    }

    mutating func noteOwner() { traits.insert(.owned) }

    /// How many of a socket's next waits are one-shot.
    private var oneShotWaits: UInt8 {
        get { traits.rawValue >> 4 }
        set { traits = Traits(rawValue: traits.rawValue & 15 | newValue << 4) }
    }

    /// Whether a wait that has had its event leaves the entry armed, for changes, so that the next wait costs no system
    /// call. Each wait of a socket's reader comes after a read that has found nothing more, so that only what is new has
    /// to be reported, and a reader is back in its next wait before the next poll, as a rule. What other code may close is
    /// not left in the set, and a socket can nearly always be written.
    private var leavesEntryArmed: Bool { isOwned && oneShots == .readable && oneShotWaits == 0 }

    /// The entry was left armed, and nobody waits.
    var isArmedForNobody: Bool { reader == nil && writer == nil && !armed.isEmpty }

    /// An event has come for which nobody waits: the task reads late. Its next waits are one-shot.
    mutating func noteLateReader() {
        armed = []
        oneShotWaits = 15
    }

    mutating func makeNextWaitOneShot() { if oneShotWaits == 0 { oneShotWaits = 1 } }

    mutating func countWait() { if oneShotWaits > 0 { oneShotWaits -= 1 } }

    var wanted: Interest {
        var wanted: Interest = []
        if reader != nil { wanted.insert(.readable) }
        if writer != nil { wanted.insert(.writable) }
        if !wanted.isEmpty, wanted == oneShots { wanted.insert(leavesEntryArmed ? .changes : .once) }
        if !wanted.isEmpty, !idle.isEmpty { wanted.insert(.changes) }
        return wanted
    }

    /// Whether nobody else has a reference to the watch's handle.
    mutating func isUnreferenced(_ direction: IOHandle.Direction) -> Bool {
        direction == .readable ? isKnownUniquelyReferenced(&reader) : isKnownUniquelyReferenced(&writer)
    }

    subscript(direction: IOHandle.Direction) -> IOHandle? {
        get { direction == .readable ? reader : writer }
        set {
            queued.remove(direction.interest)
            idle.remove(direction.interest)
            if newValue?.isOneShot ?? false {
                oneShots.insert(direction.interest)
            } else {
                oneShots.remove(direction.interest)
            }
            if direction == .readable { reader = newValue } else { writer = newValue }
        }
    }

    /// The kernel has reported an event. Returns the entry for the queue; `nil` if there is no watch in that direction,
    /// or an entry is in the queue already. A one-shot wait leaves the registration.
    @inline(__always) mutating func noteReport(
        _ fd: Int32, _ direction: IOHandle.Direction, at time: Nanoseconds
    ) -> ReadyDescriptor? {
        let interest = direction.interest
        var wait: IOHandle?
        if oneShots.contains(interest) {
            wait = self[direction]
            self[direction] = nil
        } else {
            guard direction == .readable ? reader != nil : writer != nil, queued.insert(interest).inserted else {
                return nil
            }
        }
        return ReadyDescriptor(number: fd, generation: generation, direction: direction, wait: wait, readyAt: time)
    }

    /// Whether an event is for a direction whose handler works, as far as is known; see ``idle``.
    func concernsOthers(_ event: Poller.Event, _ isBroken: Bool) -> Bool {
        let isReadable = isBroken || event.events & EPOLLIN.rawValue != 0
        let isWritable = isBroken || event.events & EPOLLOUT.rawValue != 0
        return (isReadable && reader != nil && !idle.contains(.readable))
            || (isWritable && writer != nil && !idle.contains(.writable))
    }

    /// The entry's turn in the queue has come. `false`: the watch has ended, and another one may be there now.
    @inline(__always) mutating func takeReport(_ direction: IOHandle.Direction) -> Bool {
        queued.remove(direction.interest) != nil
    }

    /// The 64 bits that the kernel returns with events of the descriptor `fd`.
    func data(_ fd: Int32) -> UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: fd)) }
}
