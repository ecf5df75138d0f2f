// SPDX-License-Identifier: Apache-2.0
// EventAwaiting: SDL's events as awaits and sequences.
// Owner:  the main thread. A wait goes on in the next tick after its event was taken from SDL's queue.

import DequeModule
import Tandem
public import TandemCSDL

extension SDLGuest {
    /// Suspends until an event comes that `matches`, and returns it.
    ///
    /// A task that waits again in the tick in which it went on misses nothing that came meanwhile: such events are kept for it, and those that
    /// its last wait would have consumed are consumed. If it does not wait again they go on to the others and to the game, in the next frame.
    ///
    /// - Parameters:
    ///   - priority: Who is asked first: higher ones, then those who have waited longer.
    ///   - consuming: Whether the event ends here: neither those of lower priority nor the game see it. The string of a dropped file belongs
    ///     to the task then, which frees it by `SDL_free`; without consuming it is `nil`, as the game frees it.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - matches: Called with each event, on the main thread.
    /// - Throws: `CancellationError` at once if the task is cancelled; `.closed` when the loop ends.
    @discardableResult
    public func nextEvent(
        priority: Int = 0, consuming: Bool = false, fileID: StaticString = #fileID, line: UInt = #line,
        matching matches: @escaping (SDL_Event) -> Bool = { _ in true }
    ) async throws -> SDL_Event {
        try Task.checkCancellation()
        let task = withUnsafeCurrentTask { $0?.hashValue }
        if let kept = events.takeKept(by: task, priority: priority, consuming: consuming, matching: matches) {
            return kept
        }
        var taken = SDL_Event()
        var place = -1
        try await loop.wait(for: "a task that waits for an SDL event", site: CallSite(fileID: fileID, line: line)) {
            [events, loop] waiter in
            loop.leavesOutIdleTicks = false
            place = events.addSingle(task: task, priority: priority, consumes: consuming, matching: matches) { event in
                guard waiter.isWaiting else { return nil }
                guard matches(event) else { return false }
                taken = consuming ? event : event.withoutString
                waiter.resume()
                return true
            }
            return { [place] in events.remove(place) }
        }
        events.goesOn(place)
        return taken
    }

    /// Suspends until a key is pressed, not repeated: `key`, or any. For one key after the other, see ``keys(_:priority:consuming:capacity:fileID:line:)``.
    ///
    /// - Parameters:
    ///   - key: For example `SDLK_SPACE`; `nil`: whichever comes.
    ///   - priority: Who is asked first: higher ones, then those who have waited longer.
    ///   - consuming: Whether the game is not to see it.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    /// - Throws: as ``nextEvent(priority:consuming:fileID:line:matching:)``.
    @discardableResult
    public func nextKey(
        _ key: SDL_KeyCode? = nil, priority: Int = 0, consuming: Bool = false, fileID: StaticString = #fileID,
        line: UInt = #line
    ) async throws -> SDL_Keysym {
        try await nextEvent(priority: priority, consuming: consuming, fileID: fileID, line: line) { event in
            Self.isPress(event, of: key)
        }.key.keysym
    }

    private static func isPress(_ event: SDL_Event, of key: SDL_KeyCode?) -> Bool {
        event.type == SDL_KEYDOWN.rawValue && event.key.repeat == 0
            && (key == nil || event.key.keysym.sym == Int32(bitPattern: UInt32(key!.rawValue)))
    }

    /// The keys that are pressed, not repeated, from now on, as a sequence that ends with its task or with the loop: `key`, or all.
    ///
    /// ```swift
    /// for await key in guest.keys() { … }
    /// ```
    ///
    /// What is pressed while the consumer does something else waits for it. Parameters as for
    /// ``events(priority:consuming:capacity:fileID:line:matching:)``.
    public func keys(
        _ key: SDL_KeyCode? = nil, priority: Int = 0, consuming: Bool = false, capacity: Int = 256,
        fileID: StaticString = #fileID, line: UInt = #line
    ) -> SDLKeys {
        SDLKeys(
            events(priority: priority, consuming: consuming, capacity: capacity, fileID: fileID, line: line) {
                Self.isPress($0, of: key)
            })
    }

    /// The events that match, from now on, as a sequence that ends with its task or with the loop.
    ///
    /// - Parameters:
    ///   - priority: As for ``nextEvent(priority:consuming:fileID:line:matching:)``.
    ///   - consuming: As there.
    ///   - capacity: How many events wait for a consumer that is slow. When there are more the oldest are dropped, and counted in
    ///     ``SDLEvents/dropped``. Traps on less than 1.
    ///   - fileID: The caller's file, for reports.
    ///   - line: The caller's line, for reports.
    ///   - matches: Called with each event, on the main thread.
    public func events(
        priority: Int = 0, consuming: Bool = false, capacity: Int = 256, fileID: StaticString = #fileID,
        line: UInt = #line, matching matches: @escaping (SDL_Event) -> Bool = { _ in true }
    ) -> SDLEvents {
        require(capacity > 0, "a sequence of SDL's events was given a capacity of \(capacity); expected 1 or more")
        let events = SDLEvents(loop, capacity: capacity, site: CallSite(fileID: fileID, line: line))
        loop.leavesOutIdleTicks = false
        events.enter(self.events, priority: priority, consumes: consuming, matches)
        return events
    }
}

/// SDL's events as a sequence, for one consumer. It gathers from the moment it is made until it is let go.
@MainActor public final class SDLEvents: AsyncSequence, AsyncIteratorProtocol {
    /// How many events were dropped since the consumer was slower than they came.
    public private(set) var dropped = 0
    private let loop: GuestLoop
    private let capacity: Int
    private let site: CallSite
    /// Strings that stand here are this sequence's; see `EventStrings`.
    private var buffer: Deque<SDL_Event> = []
    private var waiter: Waiter?

    init(_ loop: GuestLoop, capacity: Int, site: CallSite) {
        self.loop = loop
        self.capacity = capacity
        self.site = site
    }

    isolated deinit {
        for event in buffer { event.freeString() }
    }

    func enter(_ line: EventLine, priority: Int, consumes: Bool, _ matches: @escaping (SDL_Event) -> Bool) {
        _ = line.add(priority: priority, consumes: consumes) { [weak self] event in
            guard let self else { return nil }
            guard matches(event) else { return false }
            take(consumes ? event : event.withoutString)
            return true
        }
    }

    private func take(_ event: SDL_Event) {
        if buffer.count == capacity {
            buffer.removeFirst().freeString()
            dropped += 1
        }
        buffer.append(event)
        waiter?.resume()
        waiter = nil
    }

    /// The next event; `nil` when the task is cancelled or the loop ends.
    public func next() async -> SDL_Event? {
        await loop.cooperate()
        while buffer.isEmpty {
            require(waiter == nil, "two tasks iterate the events of \(site); make a sequence for each")
            do {
                try await loop.wait(for: "a task that waits for SDL's events", site: site) { waiter in
                    self.waiter = waiter
                    return { self.waiter = nil }
                }
            } catch {
                return nil
            }
        }
        return buffer.removeFirst()
    }

    /// The sequence is its own iterator.
    public nonisolated func makeAsyncIterator() -> SDLEvents { self }
}

/// The keys that are pressed, for one consumer; see ``SDLGuest/keys(_:priority:consuming:capacity:fileID:line:)``.
@MainActor public struct SDLKeys: AsyncSequence, AsyncIteratorProtocol {
    private let events: SDLEvents

    init(_ events: SDLEvents) { self.events = events }

    /// How many keys were dropped since the consumer was slower than they came.
    public var dropped: Int { events.dropped }

    /// The next key; `nil` when the task is cancelled or the loop ends.
    public func next() async -> SDL_Keysym? { await events.next()?.key.keysym }

    /// The sequence is its own iterator.
    public nonisolated func makeAsyncIterator() -> SDLKeys { self }
}
