// SPDX-License-Identifier: Apache-2.0
// EventStrings: the events that carry a string of SDL's (a dropped file, a dropped or long edited text), and who frees it.
// Rule:   as in SDL, the string belongs to whoever takes the event: the game, or a task that consumes it, frees it by `SDL_free`. Who only
//         looks on gets the event without it, since the game may have freed it by then. What Tandem drops, it frees.

import Glibc
import TandemCSDL

extension SDL_Event {
    var carriesString: Bool {
        switch SDL_EventType(rawValue: type) {
        case SDL_DROPFILE, SDL_DROPTEXT, SDL_DROPBEGIN, SDL_DROPCOMPLETE: drop.file != nil
        case SDL_TEXTEDITING_EXT: editExt.text != nil
        default: false
        }
    }

    /// For those who look on while the event is another's.
    var withoutString: SDL_Event {
        guard carriesString else { return self }
        var event = self
        if type == SDL_TEXTEDITING_EXT.rawValue { event.editExt.text = nil } else { event.drop.file = nil }
        return event
    }

    /// For events that were taken out of the queue and reach nobody.
    func freeString() {
        guard carriesString else { return }
        if type == SDL_TEXTEDITING_EXT.rawValue { SDL_free(editExt.text) } else { SDL_free(drop.file) }
    }

    /// The very same bytes: also the same time.
    func isSame(as other: SDL_Event) -> Bool {
        withUnsafeBytes(of: self) { mine in
            withUnsafeBytes(of: other) { memcmp(mine.baseAddress!, $0.baseAddress!, mine.count) == 0 }
        }
    }
}
