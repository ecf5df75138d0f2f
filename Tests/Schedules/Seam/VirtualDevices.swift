// SPDX-License-Identifier: Apache-2.0
// VirtualDevices: what the kernel would keep, and a schedule has to decide: timers, who holds a mutex, who polls.
// Idea:   a timer descriptor is an eventfd here. It is written when virtual time has come to its deadline, so that
//         every real poll and epoll set sees it.
// Owner:  as `Scheduler`.

import Glibc
import TandemCLinux

struct VirtualDevices {
    /// The time to which each timer descriptor is set; `max`: it is stopped.
    private var timers: [Int32: Int64] = [:]
    private(set) var nextTime = Int64.max
    private var mutexes: [UnsafeMutableRawPointer: UInt8] = [:]
    private var epollSets: Set<Int32> = []
    /// The eventfds that refuse to be written, as if other code had closed them.
    private var refused: Set<Int32> = []
    private var refusesNext = false
    private var pollers: [(set: Int32, participant: UInt8)] = []

    // MARK: Timers

    mutating func addTimer(_ descriptor: Int32) { timers[descriptor] = .max }
    func isTimer(_ descriptor: Int32) -> Bool { timers[descriptor] != nil }

    /// As `timerfd_settime`, which also forgets that the timer has gone off.
    mutating func setTimer(_ descriptor: Int32, to time: Int64) {
        var count: UInt64 = 0
        _ = Glibc.read(descriptor, &count, 8)
        timers[descriptor] = time
        findNextTime()
    }

    /// Timers whose time has come can be read from now on.
    mutating func expire(at now: Int64) {
        guard nextTime <= now else { return }
        // Sorted: the order in which an epoll set learns of them must not depend on the dictionary's.
        for descriptor in timers.keys.sorted() where timers[descriptor]! <= now {
            timers[descriptor] = .max
            _ = TandemCLinux.eventfd_write(descriptor, 1)
        }
        findNextTime()
    }

    private mutating func findNextTime() { nextTime = timers.values.min() ?? .max }

    /// A descriptor is closed.
    mutating func forget(_ descriptor: Int32) {
        epollSets.remove(descriptor)
        refused.remove(descriptor)
        if timers.removeValue(forKey: descriptor) != nil { findNextTime() }
    }

    // MARK: Eventfds

    mutating func refuseNextEventfd() { refusesNext = true }
    mutating func noteEventfd(_ descriptor: Int32) {
        if refusesNext { refused.insert(descriptor) }
        refusesNext = false
    }
    func refuses(_ descriptor: Int32) -> Bool { refused.contains(descriptor) }

    // MARK: Mutexes

    func isFree(_ mutex: UnsafeMutableRawPointer) -> Bool { mutexes[mutex] == nil }
    mutating func lock(_ mutex: UnsafeMutableRawPointer, _ participant: UInt8) { mutexes[mutex] = participant }
    mutating func unlock(_ mutex: UnsafeMutableRawPointer) { mutexes[mutex] = nil }

    // MARK: Polls

    mutating func addEpollSet(_ descriptor: Int32) { epollSets.insert(descriptor) }

    /// A participant begins to wait for descriptors. `false`: one is an epoll set that another participant waits for.
    mutating func beginPoll(_ descriptors: [Int32], _ participant: UInt8) -> Bool {
        for set in descriptors where epollSets.contains(set) {
            if pollers.contains(where: { $0.set == set && $0.participant != participant }) { return false }
            pollers.append((set, participant))
        }
        return true
    }

    mutating func endPoll(_ participant: UInt8) { pollers.removeAll { $0.participant == participant } }

    /// The schedule is over.
    mutating func close() {
        timers = [:]
        mutexes = [:]
        epollSets = []
        refused = []
        refusesNext = false
    }
}
