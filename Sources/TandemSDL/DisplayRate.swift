// SPDX-License-Identifier: Apache-2.0
// DisplayRate: how often the display shows a new picture on which the game's window is.
// Owner:  the main thread.

import TandemCSDL

@MainActor
enum DisplayRate {
    /// Pictures a second, of the display that the window with the focus is on, or else any window; `nil` if SDL does not know.
    static func current() -> Int? {
        guard SDL_WasInit(UInt32(SDL_INIT_VIDEO)) != 0 else { return nil }
        let window = SDL_GetKeyboardFocus() ?? SDL_GetMouseFocus() ?? anyWindow
        let display = window.map { max(0, SDL_GetWindowDisplayIndex($0)) } ?? 0
        var mode = SDL_DisplayMode()
        guard SDL_GetCurrentDisplayMode(display, &mode) == 0, mode.refresh_rate > 0 else { return nil }
        return Int(mode.refresh_rate)
    }

    /// SDL does not say which windows there are, but numbers them from 1 on.
    private static var anyWindow: OpaquePointer? {
        for number in UInt32(1)...64 { if let window = SDL_GetWindowFromID(number) { return window } }
        return nil
    }

    /// After such an event the window may be on another display, or the display in another mode.
    static func mayChange(with event: SDL_Event) -> Bool {
        switch SDL_EventType(rawValue: event.type) {
        case SDL_DISPLAYEVENT: true
        case SDL_WINDOWEVENT:
            [
                SDL_WINDOWEVENT_SHOWN, SDL_WINDOWEVENT_SIZE_CHANGED, SDL_WINDOWEVENT_FOCUS_GAINED,
                SDL_WINDOWEVENT_DISPLAY_CHANGED,
            ].contains { UInt32(event.window.event) == $0.rawValue }
        default: false
        }
    }
}
