/* SPDX-License-Identifier: Apache-2.0
 * game: a game that sleeps in SDLGuest.waitEvent, on the waker, and now and then in SDL's own wait, where only an event wakes it.
 * Idea:   SDLHost wakes the waker where somebody listens, and adds an SDL event otherwise. Another thread pushes events of the game's.
 *         SDL's wait is a queue that can be waited for here; how SDL wakes its waiter is in sdlwait.
 */
#ifndef OWN_WAITS
#define OWN_WAITS 1
#endif
#ifndef MAY_WAIT_AWAKE
#define MAY_WAIT_AWAKE false
#endif
#ifndef PUSHES
#define PUSHES 1
#endif
#ifndef CAPACITY
#define CAPACITY 2
#endif
#include "shared.pml"
byte ownEvents, gameEvents, onTheirWay, pushesLeft = PUSHES;
#define QUEUE (ownEvents + gameEvents)

/* AsyncioMessage.add */
inline addEvent() {
    if
    :: ownEvents > 0 -> ok = true                       /* SDL_HasEvent */
    :: else ->
        d_step {
            if
            :: QUEUE < CAPACITY -> ownEvents++; ok = true; lastWasRefused = false
            :: else -> ok = false
            fi
        }
    fi
}
/* SDLHost.requestTick */
inline requestTick() {
#ifndef M_LOOK_FOR_LISTENER_FIRST
    listening = isListening;
#endif
    if
    :: listening -> listening = false; wakeForLoop(); ok = true
    :: else -> addEvent()
    fi
}
/* A full queue keeps nobody asleep, so that a refused request waits for nothing. */
#define IS_EXCUSED false
inline assertHost() {
    assert(QUEUE == 0 || isInOwnWait == false /* every event is seen */);
    assert(gameEvents == 0 /* every event is seen */)
}
bool isInOwnWait;
#include "uithread.pml"
#include "backend.pml"

/* SDL_PushEvent, and PushedEvents.hear on its way. */
active proctype Pusher() {
    bool wasSet, listening;
    do
    :: pushesLeft > 0 ->
        onTheirWay++;
        listening = isListening;
#ifndef M_PUSH_WAKES_NOBODY
        if :: listening -> listening = false; wake() :: else fi;
#endif
        d_step { QUEUE < CAPACITY -> gameEvents++; pushesLeft-- }
    :: else -> break
    od
}

active proctype UIThread() {
    UI_VARIABLES;
    byte ownWaitsLeft = OWN_WAITS;
    bool looksSoon;
    place = BACKEND; passing = true;                    /* BackendThread.init passes the turn. */
    startPosters();
Round:
    if
    :: closesAfterTick || closeNow -> goto Close
    :: mayClose -> mayClose = false; goto Close
    :: !closesAfterTick && actionsLeft > 0 -> userCodeOutside(); goto Round
    :: !closesAfterTick && ownWaitsLeft > 0 ->
        /* The game's own SDL_WaitEvent: it looks at nothing of ours. */
        ownWaitsLeft--;
        isInOwnWait = true;
        atomic {
            QUEUE > 0 || closeNow ->
            isInOwnWait = false;
            if
            :: ownEvents > 0 -> ownEvents--; next = UNKNOWN; goto Tick
            :: ownEvents == 0 && gameEvents > 0 -> gameEvents--; if :: onTheirWay > 0 -> onTheirWay-- :: else fi; goto Round
            :: QUEUE == 0 -> goto Close
            fi
        }
    :: !closesAfterTick                                  /* waitEvent */
    fi;
NextEvent:                                              /* SDLGuest.nextEvent */
    next = WAIT;
    atomic {
        ownEvents = 0;                                  /* isOwn: dropped; the word of requests has it */
        if :: gameEvents > 0 -> gameEvents--; if :: onTheirWay > 0 -> onTheirWay-- :: else fi; goto Tick :: else fi
    };
#ifdef M_LISTENS_AFTER_LOOK
    lookAtHasWork();
    if :: hasWork -> goto Tick :: else fi;
    beginWaiting();
    isListening = true;         /* mutant: nothing is looked at from here on */
    sleepOnWaker(false);
#else
    lookAtHasWork();
    if :: hasWork -> goto Tick :: else fi;
    beginWaiting();
    /* GuestLoop.wait, with SDLGuest.checkQueue */
    do
    :: QUEUE > 0 -> break
    :: else ->
        lookAtHasWork();
        if :: hasWork -> break :: else fi;
        looksSoon = onTheirWay > 0;                     /* watch.untilNextLook */
        sleepOnWaker(looksSoon && QUEUE > 0);
        lookAtHasWork();
        if :: hasWork || closeNow -> break :: mayClose -> mayClose = false; goto Close :: else fi
    od;
#endif
    endWaiting();
    if :: closeNow -> goto Close :: else fi;
    lookAtHasWork();
    if :: hasWork :: else -> goto NextEvent fi;
Tick:
    tick();
    goto Round;
Close:
    performClose()
}
