// SPDX-License-Identifier: Apache-2.0
// RecordedEvents: SDL's events on a tape, as the bytes that they are.
// Idea:   an event is plain memory, but for a few kinds that carry pointers; those stay out, since they mean nothing to another process.
// Owner:  the main thread.

import Tandem
import TandemCSDL

extension SDLGuest {
    /// Writes an event down, if the run is being recorded.
    func record(_ event: SDL_Event) {
        guard let tape = loop.activeTape, !tape.isReplay, Self.isPlain(event) else { return }
        withUnsafeBytes(of: event) { tape.input($0) }
    }

    /// The recorded run's next event. The window's own are taken from SDL and dropped, so that it does not hang; only a wish to quit counts.
    func nextRecordedEvent(_ event: inout SDL_Event, _ tape: any RunTape) -> Bool {
        var own = SDL_Event()
        while SDL_PollEvent(&own) != 0 {
            if own.type == SDL_QUIT.rawValue { quitFrames() }
            own.freeString()
        }
        guard let bytes = tape.nextInput() else { return false }
        require(
            bytes.count == MemoryLayout<SDL_Event>.size,
            "the recording has an input of \(bytes.count) bytes; an SDL_Event has \(MemoryLayout<SDL_Event>.size)")
        // Safe: an SDL_Event is plain memory, and the sizes are equal.
        withUnsafeMutableBytes(of: &event) { $0.copyBytes(from: bytes) }
        return true
    }

    private static func isPlain(_ event: SDL_Event) -> Bool {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_SYSWMEVENT, SDL_DROPFILE, SDL_DROPTEXT, SDL_DROPBEGIN, SDL_DROPCOMPLETE, SDL_TEXTEDITING_EXT: false
        default: event.type < SDL_USEREVENT.rawValue
        }
    }
}
