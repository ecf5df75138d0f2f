// SPDX-License-Identifier: Apache-2.0
#include "CSDLVideo.h"

#include <SDL2/SDL.h>
#include <SDL2/SDL_syswm.h>

#if defined(SDL_VIDEO_DRIVER_X11)

// SDL does not say which windows there are, but numbers them from 1 on, and all of them share one connection. Main thread.
static SDL_Window *some_window(void) {
    static Uint32 last = 1;
    SDL_Window *window = SDL_GetWindowFromID(last);
    for (Uint32 number = 1; window == NULL && number <= 64; number++) {
        window = SDL_GetWindowFromID(number);
        if (window != NULL) {
            last = number;
        }
    }
    return window;
}

int tandem_x11_connection(void) {
    const char *driver = SDL_GetCurrentVideoDriver();
    if (driver == NULL || SDL_strcmp(driver, "x11") != 0) {
        return -1;
    }
    SDL_Window *window = some_window();
    SDL_SysWMinfo information;
    SDL_VERSION(&information.version);
    if (window == NULL || !SDL_GetWindowWMInfo(window, &information) || information.subsystem != SDL_SYSWM_X11) {
        return -1;
    }
    // A macro of Xlib's that reads a field: SDL loads the library by itself, and nothing has to be linked.
    return ConnectionNumber(information.info.x11.display);
}

#else

int tandem_x11_connection(void) { return -1; }

#endif
