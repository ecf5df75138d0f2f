// SPDX-License-Identifier: Apache-2.0
#include "TandemCSDLVideo.h"

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

static Display *display(void) {
    const char *driver = SDL_GetCurrentVideoDriver();
    // Each wait asks several times; no other driver's name begins so.
    if (driver == NULL || driver[0] != 'x' || SDL_strcmp(driver, "x11") != 0) {
        return NULL;
    }
    SDL_Window *window = some_window();
    SDL_SysWMinfo information;
    SDL_VERSION(&information.version);
    if (window == NULL || !SDL_GetWindowWMInfo(window, &information) || information.subsystem != SDL_SYSWM_X11) {
        return NULL;
    }
    return information.info.x11.display;
}

// Macros of Xlib's that read a field: SDL loads the library by itself, and nothing has to be linked.

int tandem_x11_connection(void) {
    Display *present = display();
    return present == NULL ? -1 : ConnectionNumber(present);
}

static Display *pumped;
static unsigned long next_request;

bool tandem_x11_note_pump(void) {
    pumped = display();
    next_request = pumped == NULL ? 0 : NextRequest(pumped);
    return pumped != NULL;
}

bool tandem_x11_is_still(void) {
    Display *present = display();
    return present != NULL && present == pumped && QLength(present) == 0 && NextRequest(present) == next_request;
}

#else

int tandem_x11_connection(void) { return -1; }

bool tandem_x11_note_pump(void) { return false; }

bool tandem_x11_is_still(void) { return false; }

#endif
