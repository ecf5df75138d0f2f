// SPDX-License-Identifier: Apache-2.0
// LeastPoller: handlers of descriptors, in an epoll set.
// Idea:   what Tandem promises of a handler: it is not called after it was ended, by an earlier handler of the same batch either; it may throw.
// Owner:  the main thread.

import CLimits
import Glibc

final class LeastPoller {
    private struct Watch {
        let body: (_ events: UInt32) throws -> Void
    }

    static let capacity = 64
    let set = epoll_create1(Int32(EPOLL_CLOEXEC))
    // Safe, both: the main thread's; the memory is never freed.
    private let watches = UnsafeMutablePointer<Watch?>.allocate(capacity: capacity)
    private let found = UnsafeMutablePointer<limits_event>.allocate(capacity: capacity)
    @exclusivity(unchecked) private var count = 0

    init() {
        watches.initialize(repeating: nil, count: Self.capacity)
        found.initialize(repeating: limits_event(), count: Self.capacity)
    }

    /// The watch's number. One is never given twice.
    func watch(_ descriptor: Int32, _ events: UInt32, _ body: @escaping (_ events: UInt32) throws -> Void) -> Int {
        precondition(count < Self.capacity, "too many descriptors")
        precondition(limits_watch(set, descriptor, events, UInt64(count)), "epoll refused a descriptor")
        watches[count] = Watch(body: body)
        count += 1
        return count - 1
    }

    func end(_ watch: Int) { watches[watch] = nil }

    /// Waits for nanoseconds (-1: for ever), and calls the handlers of what has happened. How many events there were.
    @discardableResult
    func poll(_ timeout: Int64, _ failed: (any Error) -> Void) -> Int {
        let events = Int(limits_poll(set, found, Int32(Self.capacity), timeout))
        guard events > 0 else { return 0 }
        for index in 0..<events {
            guard let watch = watches[Int(found[index].token)] else { continue }
            do { try watch.body(found[index].events) } catch { failed(error) }
        }
        return events
    }
}

/// What these programs do with an error of a closure's.
func failed(_ error: any Error) { fatalError("nothing here fails: \(error)") }
