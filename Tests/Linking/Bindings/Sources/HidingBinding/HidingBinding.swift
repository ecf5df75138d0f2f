// SPDX-License-Identifier: Apache-2.0
// HidingBinding: a binding of SDL2 with an event type of its own. Of an event that it does not know it gives the number out, no more.

import CSDL2

/// An event, as this binding knows them.
public enum Event {
    case quit
    case keyDown(Int32)
    case unknown(type: UInt32)
}

/// The binding.
public enum HidingBinding {
    /// Starts the video.
    public static func start() { SDL_Init(UInt32(SDL_INIT_VIDEO)) }

    /// The next event, if there is one.
    public static func nextEvent() -> Event? {
        var event = SDL_Event()
        guard SDL_PollEvent(&event) != 0 else { return nil }
        switch event.type {
        case SDL_QUIT.rawValue: return .quit
        case SDL_KEYDOWN.rawValue: return .keyDown(event.key.keysym.sym)
        default: return .unknown(type: event.type)
        }
    }
}
