// SPDX-License-Identifier: Apache-2.0
// PushWatch: hears of the events that other threads push, which would otherwise not end a sleep of ours.
//
// Facts about SDL2 that this code rests on:
//  - Event watches are called on the pushing thread, before the event is in the queue, with its time in it.
//  - SDL forgets them when its events end (SDL_Quit), and at the same moment which kinds of event are to be ignored.
// Idea:   what was heard of and has not been seen is on its way, however long its thread may be kept from going on: until then nobody
//         sleeps long. The watch stands from the first wait on, so that nothing is pushed unheard; a kind of event that is ignored, and
//         that nobody pushes, tells whether it still does.
// Owner:  the main thread, but for what `Ears` holds.

import Tandem
import TandemCLinux
import TandemCSDL

@MainActor
final class PushWatch {
    let ears: Ears
    private let mark: UInt32
    /// SDL refers to the ears, or did before its events ended.
    private var isKept = false
    /// Whose watch the mark speaks of.
    private static var standing: ObjectIdentifier?

    init(bell: Bell, own type: UInt32) {
        ears = Ears(bell: bell, own: type)
        mark = AsyncioMessage.mark(of: type)
    }

    /// Before a sleep: sees to it that the watch stands.
    func stand() {
        let me = ObjectIdentifier(ears)
        guard Self.standing != me || SDL_EventState(mark, SDL_QUERY) != SDL_IGNORE else { return }
        Self.standing = me
        if !isKept {
            isKept = true
            _ = Unmanaged.passRetained(ears)  // Safe: balanced in `end`.
        }
        SDL_AddEventWatch(Ears.listen, Unmanaged.passUnretained(ears).toOpaque())  // Safe: retained above.
        SDL_EventState(mark, SDL_IGNORE)
        ears.noteUnheard()
    }

    /// The newest event that is on its way into the queue, as a number that grows; 0 if none is.
    var coming: UInt64 { ears.coming }

    /// Neither that one nor an older one is: somebody else has taken them, or dropped them.
    func giveUp(upTo event: UInt64) { ears.giveUp(upTo: event) }

    /// An event was taken out of the queue.
    func saw(_ event: SDL_Event) { ears.saw(event) }

    /// SDL holds its lock around watches, so that none is running afterwards.
    func end() {
        guard isKept else { return }
        isKept = false
        if Self.standing == ObjectIdentifier(ears) { Self.standing = nil }
        // Safe: gives back what `stand` retained, once SDL has forgotten it.
        let pointer = Unmanaged.passUnretained(ears)
        SDL_DelEventWatch(Ears.listen, pointer.toOpaque())
        SDL_EventState(mark, SDL_ENABLE)
        pointer.release()
    }
}

/// What the pushing threads touch.
final class Ears: Sendable {
    /// An event that was heard of and has not been seen since.
    private struct Coming {
        /// Kind and time. Two that have both in common are two entries.
        let key: UInt64
        let number: UInt64
    }

    private let bell: Bell
    private let ownType: UInt32
    private let lock = Lock()
    // Safe: these are touched with `lock` held.
    /// The oldest first. Of a program that takes its events by itself nobody sees any: then the newest ones are kept.
    private nonisolated(unsafe) var entries: [Coming] = []
    private nonisolated(unsafe) var lastNumber: UInt64 = 0
    private static let capacity = 32

    init(bell: Bell, own type: UInt32) {
        self.bell = bell
        ownType = type
        entries.reserveCapacity(Self.capacity)
    }

    private static func key(_ event: SDL_Event) -> UInt64 { UInt64(event.type) << 32 | UInt64(event.common.timestamp) }

    /// On any thread, which is about to put the event into the queue.
    func hear(_ event: SDL_Event) {
        // The main thread finds what it pushes itself, and the loop's own event is only a hint.
        guard !tandem_is_main_thread(), event.type != ownType else { return }
        note(Self.key(event))
        if bell.isListenedTo { bell.ring() }
    }

    /// Something may have been pushed before anybody listened, and be on its way: no event is like it.
    func noteUnheard() { note(0) }

    private func note(_ key: UInt64) {
        lock.lock()
        defer { lock.unlock() }
        if entries.count == Self.capacity { entries.removeFirst() }
        lastNumber += 1
        entries.append(Coming(key: key, number: lastNumber))
    }

    func saw(_ event: SDL_Event) {
        lock.lock()
        defer { lock.unlock() }
        let key = Self.key(event)
        if let index = entries.firstIndex(where: { $0.key == key }) { entries.remove(at: index) }
    }

    var coming: UInt64 {
        lock.lock()
        defer { lock.unlock() }
        return entries.last?.number ?? 0
    }

    func giveUp(upTo number: UInt64) {
        lock.lock()
        defer { lock.unlock() }
        entries.removeAll { $0.number <= number }
    }

    // Safe: whoever adds it holds a reference to the ears until it is taken away.
    static let listen: @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<SDL_Event>?) -> Int32 =
        {
            ears, event in
            Unmanaged<Ears>.fromOpaque(ears!).takeUnretainedValue().hear(event!.pointee)
            return 0
        }
}
