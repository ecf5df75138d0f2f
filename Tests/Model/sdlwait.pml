/* SPDX-License-Identifier: Apache-2.0
 * sdlwait: a game that sleeps in SDL's wait by way of SDLGuest.waitEvent (wayland, and x11 without a window).
 * Idea:   SDL looks at its queue, says that it sleeps, and sleeps; adding an event wakes who says so. Up to 2.32.7 look and saying are under
 *         one lock, and adding and waking, too. From 2.32.8 on (SDL_LOSES_WAKES) they are not. A flush of another thread's may take our event out.
 *         Then the bound of the wait is all there is; it counts as passed when nobody else can move.
 */
#ifndef SDL_LOSES_WAKES
#define SDL_LOSES_WAKES 0
#endif
#ifndef FLUSHES
#define FLUSHES 0
#endif
#ifndef PUSHES
#define PUSHES 1
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#if SDL_LOSES_WAKES + FLUSHES > 0
#define RESTS false
#endif
#define MAY_WAIT_AWAKE false
#include "shared.pml"
byte ownEvents, gameEvents, pushesLeft = PUSHES;
bool sdlSleeps, sdlWake;
#define QUEUE (ownEvents + gameEvents)

/* AsyncioMessage.add */
inline wakeSDL() {
    if
    :: sdlSleeps -> d_step { sdlWake = true; sdlSleeps = false }
    :: else
    fi
}
inline requestTick() {
    if
    :: ownEvents > 0 -> ok = true                       /* SDL_HasEvent */
    :: else ->
        d_step {
            if
            :: QUEUE < CAPACITY -> ownEvents++; ok = true; lastWasRefused = false
            :: else -> ok = false
            fi
        };
        if :: ok -> wakeSDL() :: else fi
    fi
}
#define IS_EXCUSED false
inline assertHost() { assert(QUEUE == 0 /* every event is seen */) }
#include "uithread.pml"
#include "backend.pml"

/* Another thread: pushes events of the game's, flushes ours. */
active proctype Pusher() {
    byte flushes = FLUSHES;
    do
    :: pushesLeft > 0 ->
        d_step { QUEUE < CAPACITY -> gameEvents++; pushesLeft-- };
        wakeSDL()
    :: flushes > 0 -> flushes--; ownEvents = 0
    :: else -> break
    od
}

active proctype UIThread() {
    UI_VARIABLES;
    place = BACKEND; passing = true;                    /* BackendThread.init passes the turn. */
    startPosters();
Round:
    if
    :: closesAfterTick || closeNow -> goto Close
    :: mayClose -> mayClose = false; goto Close
    :: !closesAfterTick && actionsLeft > 0 -> userCodeOutside(); goto Round
    :: !closesAfterTick
    fi;
NextEvent:                                              /* SDLGuest.nextEvent */
    next = WAIT;
    atomic {
        ownEvents = 0;
        if :: gameEvents > 0 -> gameEvents--; goto Tick :: else fi
    };
    lookAtHasWork();
    if :: hasWork -> goto Tick :: else fi;
    /* GuestLoop.passKeptTurn */
    if
    :: uiThreadHasIt -> reclaim(); if :: uiThreadHasIt -> passTurn() :: else fi
    :: else
    fi;
    /* SDL_WaitEventTimeout */
    do
    :: QUEUE > 0 ->
        atomic {
            if :: ownEvents > 0 -> ownEvents-- :: ownEvents == 0 && gameEvents > 0 -> gameEvents-- :: QUEUE == 0 fi;
            goto Tick
        }
    :: atomic { QUEUE == 0 -> if :: SDL_LOSES_WAKES == 0 -> sdlSleeps = true :: else fi };
        if :: SDL_LOSES_WAKES == 1 -> sdlSleeps = true :: else fi;
        if
        :: atomic { sdlWake -> sdlWake = false }
        :: closeNow -> goto Close
#ifndef M_SDL_WAIT_UNBOUNDED
        :: atomic { timeout && !isRested -> isRested = true; sdlSleeps = false }; break
#endif
        fi
    od;
    lookAtHasWork();
    if :: hasWork :: else -> goto NextEvent fi;
Tick:
    isRested = RESTS;
    tick();
    goto Round;
Close:
    isRested = true;
    performClose()
}
