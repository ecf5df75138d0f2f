// SPDX-License-Identifier: Apache-2.0
// OpenBinding: a binding of SDL2 that gives SDL's own event type out.

public import CSDL2

/// The binding.
public enum OpenBinding {
    /// Starts the video.
    public static func start() { SDL_Init(UInt32(SDL_INIT_VIDEO)) }

    /// The next event, if there is one.
    public static func nextEvent() -> SDL_Event? {
        var event = SDL_Event()
        return SDL_PollEvent(&event) != 0 ? event : nil
    }
}
