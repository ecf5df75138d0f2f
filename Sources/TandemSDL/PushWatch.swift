// SPDX-License-Identifier: Apache-2.0
// PushWatch: hears of the events that other threads push, which would otherwise not end a sleep of ours.
//
// Facts about SDL2 that this code rests on:
//  - Event watches are called on the pushing thread, before the event is in the queue, with its time in it.
//  - SDL_Quit forgets them.
// Idea:   what was heard of and has not been seen is on its way, however long its thread may be kept from going on: until then nobody
//         sleeps long. The watch stands from the first wait on; each wait puts a new one in the place of the last, the new one first, so
//         that nothing is pushed unheard.
// Owner:  the main thread, but for what `Ears` holds.

import CLinux
import CSDL2
import Synchronization
import Tandem

@MainActor
final class PushWatch {
    private let ears: Ears
    private var isFirst = false
    /// SDL refers to the ears.
    private var isStanding = false

    init(bell: Bell, own type: UInt32) { ears = Ears(bell: bell, own: type) }

    /// Before a sleep.
    func renew() {
        if !isStanding {
            isStanding = true
            _ = Unmanaged.passRetained(ears)  // Safe: balanced in `end`.
        }
        isFirst.toggle()
        SDL_AddEventWatch(isFirst ? Ears.first : Ears.second, Unmanaged.passUnretained(ears).toOpaque())
        SDL_DelEventWatch(isFirst ? Ears.second : Ears.first, Unmanaged.passUnretained(ears).toOpaque())
    }

    /// Is an event on its way into the queue?
    var isComing: Bool { ears.coming.load(ordering: .sequentiallyConsistent) != 0 }

    /// It is not: somebody else has taken it, or dropped it.
    func giveUp() { ears.coming.store(0, ordering: .relaxed) }

    /// An event was taken out of the queue.
    func saw(_ event: SDL_Event) {
        _ = ears.coming.compareExchange(expected: Ears.key(event), desired: 0, ordering: .relaxed)
    }

    /// SDL holds its lock around watches, so that none is running afterwards.
    func end() {
        guard isStanding else { return }
        isStanding = false
        let pointer = Unmanaged.passUnretained(ears)
        SDL_DelEventWatch(Ears.first, pointer.toOpaque())
        SDL_DelEventWatch(Ears.second, pointer.toOpaque())
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

    // Two, which SDL can tell apart. Safe: whoever adds them holds a reference to the ears until they are taken away.
    static let first: Watch = { ears, event in
        Unmanaged<Ears>.fromOpaque(ears!).takeUnretainedValue().hear(event!.pointee)
        return 0
    }
    static let second: Watch = { ears, event in
        Unmanaged<Ears>.fromOpaque(ears!).takeUnretainedValue().hear(event!.pointee)
        return 1
    }
    typealias Watch =
        @convention(c) @Sendable (UnsafeMutableRawPointer?, UnsafeMutablePointer<SDL_Event>?) -> Int32
}
