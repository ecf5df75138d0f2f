// SPDX-License-Identifier: Apache-2.0
// PushedEventWatch: an SDL event watch that tells a sleeping main thread of the events that other threads push.
//
// Facts about SDL2 that this code rests on (read in its sources, 2.0.16 to 2.32.10):
//  - SDL_PushEvent calls the filter and the watches on the pushing thread, with a recursive lock held. It stamps the event before that,
//    and adds it to the queue afterwards, without the lock.
//  - SDL_PeepEvents with SDL_ADDEVENT calls neither. Only a look at the queue finds what is added in that way.
//  - SDL forgets its watches when its events end (SDL_Quit), and at the same moment which kinds of event are to be ignored. It does not
//    tell whether a watch stands, and adds one that stands a second time.
//  - Every poll pushes a sentinel, SDL_POLLSENTINEL, which is no event.
// Idea:   an event that was pushed and has not been seen is on its way into the queue: until it has come the main thread looks for it, after
//         pauses that grow (`QueueLooks`). The watch stands from the first wait on. A kind of event that is ignored, and that nobody
//         pushes, tells whether it still does; in doubt it is removed and added again, so that it stands once.
// Owner:  the main thread, but for what `PushedEvents` holds.
// Breaks: SDL may call a watch as long as the process lives. So it is given no memory of ours; a guest that closes is only detached.

import Synchronization
import Tandem
import TandemCLinux
import TandemCSDL

@MainActor
final class PushedEventWatch {
    // Exclusivity of these is not checked: plain values, and nothing is called while one changes.
    @exclusivity(unchecked) private static var isAdded = false
    private let waker: Waker
    private let ownType: UInt32
    @exclusivity(unchecked) private var looks = QueueLooks()

    init(waker: Waker, own type: UInt32) {
        self.waker = waker
        ownType = type
    }

    /// Before a sleep: sees to it that the watch is registered, once, and wakes this guest's thread.
    func stand() {
        PushedEvents.shared.attach(waker, own: ownType)
        let mark = AsyncioMessage.mark(of: ownType)
        guard !Self.isAdded || SDL_EventState(mark, SDL_QUERY) != SDL_IGNORE else { return }
        Self.isAdded = true
        SDL_DelEventWatch(PushedEvents.listen, nil)
        SDL_AddEventWatch(PushedEvents.listen, nil)
        SDL_EventState(mark, SDL_IGNORE)
    }

    /// An event was taken out of the queue.
    func saw(_ event: SDL_Event) {
        if Self.isAdded { PushedEvents.shared.saw(event) }
    }

    /// Nothing was in the queue.
    func foundQueueEmpty() { PushedEvents.shared.forgetMainThread() }

    /// How long the main thread may sleep before it looks at the queue, in nanoseconds.
    var untilNextLook: Int64 { looks.pause(newest: PushedEvents.shared.newestOnItsWay) }

    /// So much time has passed, and nothing else has happened.
    func looked(found: Bool) {
        let newest = PushedEvents.shared.newestOnItsWay
        if looks.looked(found: found, newest: newest) { PushedEvents.shared.forget(upTo: newest) }
    }

    func end() {
        guard PushedEvents.shared.detach(waker), Self.isAdded else { return }
        Self.isAdded = false
        SDL_DelEventWatch(PushedEvents.listen, nil)
        SDL_EventState(AsyncioMessage.mark(of: ownType), SDL_ENABLE)
    }
}

/// The events that were pushed and have not been seen, by whatever thread. One for the process, as SDL's queue is.
final class PushedEvents: Sendable {
    static let shared = PushedEvents()

    private struct Push {
        /// Kind and time. Two that have both in common are two entries.
        let key: UInt64
        /// Grows. 0: by the main thread, which finds it in the queue as soon as it looks.
        let number: UInt64
    }

    private let lock = Lock()
    // Safe: these are touched with `lock` held; but `waker`, which the main thread alone writes, is read there without it.
    @exclusivity(unchecked) private nonisolated(unsafe) var waker: Waker?
    private nonisolated(unsafe) var ownType: UInt32 = 0
    /// The oldest first. Of a program that takes its events by itself nobody sees any: then the newest ones are kept.
    private nonisolated(unsafe) var pushes: [Push] = [] {
        didSet { isEmpty.store(pushes.isEmpty, ordering: .sequentiallyConsistent) }
    }
    private nonisolated(unsafe) var lastNumber: UInt64 = 0
    /// Whether there are no pushes. A main thread that waits reads it without the lock: it has armed its waker before, so that whoever adds a push
    /// after that wakes it.
    private let isEmpty = Atomic<Bool>(true)
    /// Told of every event, on its pushing thread.
    private nonisolated(unsafe) var hearer: (@Sendable (SDL_Event) -> Void)?
    private static let capacity = 64

    private init() {}

    private func locked<Result>(_ body: () -> Result) -> Result {
        lock.lock()
        defer { lock.unlock() }
        return body()
    }

    private static func key(_ event: SDL_Event) -> UInt64 { UInt64(event.type) << 32 | UInt64(event.common.timestamp) }

    /// Main thread.
    func attach(_ waker: Waker, own type: UInt32) {
        guard self.waker !== waker else { return }
        locked {
            self.waker = waker
            ownType = type
            pushes = []
            hearer = nil
        }
    }

    /// Main thread. `false`: another guest's is attached.
    func detach(_ waker: Waker) -> Bool {
        locked {
            guard self.waker === waker else { return false }
            self.waker = nil
            hearer = nil
            return true
        }
    }

    /// Has `hearer` told of every event, or nobody, until the guest that is attached is detached.
    func hearAll(_ hearer: (@Sendable (SDL_Event) -> Void)?) { locked { self.hearer = hearer } }

    /// On any thread, which is about to put the event into the queue.
    func hear(_ event: SDL_Event) {
        let isMain = tandem_is_main_thread()
        let (listener, hearer) = locked { () -> (Waker?, (@Sendable (SDL_Event) -> Void)?) in
            guard let waker, event.type != ownType, event.type != SDL_POLLSENTINEL.rawValue else { return (nil, nil) }
            makeRoom()
            if !isMain { lastNumber += 1 }
            // The main thread's are noted because one of the same kind and time may be another thread's, and not have come yet.
            pushes.append(Push(key: Self.key(event), number: isMain ? 0 : lastNumber))
            return (isMain ? nil : waker, self.hearer)
        }
        if let listener, listener.isArmed { listener.wake() }
        hearer?(event)
    }

    private func makeRoom() {
        guard pushes.count == Self.capacity else { return }
        pushes.remove(at: pushes.firstIndex { $0.number == 0 } ?? 0)
    }

    /// Main thread: an event has come. Which of two alike it was, nobody can tell: the main thread's is in the queue for certain.
    func saw(_ event: SDL_Event) {
        let key = Self.key(event)
        locked {
            let index = pushes.firstIndex { $0.key == key && $0.number == 0 } ?? pushes.firstIndex { $0.key == key }
            if let index { pushes.remove(at: index) }
        }
    }

    /// Main thread: what it has pushed itself has been taken, or has been refused.
    func forgetMainThread() {
        guard !isEmpty.load(ordering: .sequentiallyConsistent) else { return }
        locked { pushes.removeAll { $0.number == 0 } }
    }

    /// 0: none is.
    var newestOnItsWay: UInt64 {
        guard !isEmpty.load(ordering: .sequentiallyConsistent) else { return 0 }
        return locked { pushes.last { $0.number != 0 }?.number ?? 0 }
    }

    /// Neither that one nor an older one is on its way: somebody else has taken them, or dropped them.
    func forget(upTo number: UInt64) { locked { pushes.removeAll { $0.number <= number } } }

    // Safe: refers to what is never freed.
    static let listen: @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<SDL_Event>?) -> Int32 =
        { _, event in
            if let event { shared.hear(event.pointee) }
            return 0
        }
}
