// SPDX-License-Identifier: Apache-2.0
// TandemCSDL: SDL's own headers, and which of its callbacks run on threads of SDL's.
//
// Facts:  Swift takes a closure in main-actor code for main-actor code, whichever thread C calls it on. It checks the thread on entry only where the
//         closure is an argument, and the file itself imports the function's module. A callback that is assigned to a member, as the audio
//         callback is, and one that comes by way of `import TandemSDL`, is not checked: it races (seen in Swift 6.3).
// Idea:   what SDL calls on other threads is @Sendable here. Such a closure belongs to no actor, so that the compiler finds it if it touches
//         the game's state.
// Order:  the types come before SDL's headers, whose structures refer to them; the functions come behind, as the last declaration counts.

#ifndef TANDEM_CSDL_SHIM_H
#define TANDEM_CSDL_SHIM_H

#define TANDEM_ON_ANY_THREAD __attribute__((swift_attr("@Sendable")))

#include <SDL2/SDL_stdinc.h>

#ifdef __cplusplus
extern "C" {
#endif
typedef union SDL_Event SDL_Event;
typedef void (SDLCALL * SDL_AudioCallback)(void *userdata, Uint8 *stream, int len) TANDEM_ON_ANY_THREAD;
typedef Uint32 (SDLCALL * SDL_TimerCallback)(Uint32 interval, void *param) TANDEM_ON_ANY_THREAD;
typedef int (SDLCALL * SDL_ThreadFunction)(void *data) TANDEM_ON_ANY_THREAD;
typedef int (SDLCALL * SDL_EventFilter)(void *userdata, SDL_Event *event) TANDEM_ON_ANY_THREAD;
#ifdef __cplusplus
}
#endif

#include <SDL2/SDL.h>

#ifdef __cplusplus
extern "C" {
#endif
extern DECLSPEC SDL_TimerID SDLCALL SDL_AddTimer(
    Uint32 interval, SDL_TimerCallback callback TANDEM_ON_ANY_THREAD, void *param);
extern DECLSPEC SDL_Thread *SDLCALL SDL_CreateThread(
    SDL_ThreadFunction fn TANDEM_ON_ANY_THREAD, const char *name, void *data);
extern DECLSPEC void SDLCALL SDL_AddEventWatch(SDL_EventFilter filter TANDEM_ON_ANY_THREAD, void *userdata);
extern DECLSPEC void SDLCALL SDL_SetEventFilter(SDL_EventFilter filter TANDEM_ON_ANY_THREAD, void *userdata);
extern DECLSPEC void SDLCALL SDL_LogSetOutputFunction(
    SDL_LogOutputFunction callback TANDEM_ON_ANY_THREAD, void *userdata);
#ifdef __cplusplus
}
#endif

#endif
