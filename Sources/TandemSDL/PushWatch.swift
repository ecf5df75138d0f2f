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

import CLinux
import CSDL2
import Synchronization
import Tandem

@MainActor
final class PushWatch {
    private let ears: Ears
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
        // Something may have been pushed before, and be on its way.
        ears.coming.store(1, ordering: .sequentiallyConsistent)
    }

    /// The event that is on its way into the queue; 0 if none is.
    var coming: UInt64 { ears.coming.load(ordering: .sequentiallyConsistent) }

    /// It is not: somebody else has taken it, or dropped it.
    func giveUp(on event: UInt64) {
        _ = ears.coming.compareExchange(expected: event, desired: 0, ordering: .relaxed)
    }

    /// An event was taken out of the queue.
    func saw(_ event: SDL_Event) {
        _ = ears.coming.compareExchange(expected: Ears.key(event), desired: 0, ordering: .relaxed)
    }

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
private final class Ears: Sendable {
    private let bell: Bell
    private let ownType: UInt32
    /// The last event that was heard of and not seen since; 0: none. Set on any thread, cleared on the main thread.
    let coming = Atomic<UInt64>(0)

    init(bell: Bell, own type: UInt32) {
        self.bell = bell
        ownType = type
    }

    /// Kind and time, in one number that is not 0.
    static func key(_ event: SDL_Event) -> UInt64 { UInt64(event.type) << 32 | UInt64(event.common.timestamp) }

    private func hear(_ event: SDL_Event) {
        // The main thread finds what it pushes itself, and the loop's own event is only a hint.
        guard !tandem_is_main_thread(), event.type != ownType else { return }
        coming.store(Self.key(event), ordering: .sequentiallyConsistent)
        if bell.isListenedTo { bell.ring() }
    }

    // Safe: whoever adds it holds a reference to the ears until it is taken away.
    static let listen: @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<SDL_Event>?) -> Int32 =
        {
            ears, event in
            Unmanaged<Ears>.fromOpaque(ears!).takeUnretainedValue().hear(event!.pointee)
            return 0
        }
}
