/* SPDX-License-Identifier: Apache-2.0
 * headless: a host whose thread sleeps by itself: HeadlessHost, which keeps the turn between its ticks.
 * Idea:   GuestLoop.wait: it checks, looks for work, ticks or sleeps, and begins again. The host leaves its wait now and then, runs code of
 *         the program's, ticks as before a frame, and comes back.
 */
#ifndef LEAVES
#define LEAVES 1
#endif
#ifndef MAY_WAIT_AWAKE
#define MAY_WAIT_AWAKE true
#endif
#include "shared.pml"
/* HeadlessHost's Listener.requestTick */
inline requestTick() { wakeForLoop(); ok = true; lastWasRefused = false }
/* Work may lie there only for this reason. */
#define IS_EXCUSED false
inline assertHost() { skip }
#include "uithread.pml"
#include "backend.pml"

active proctype UIThread() {
    UI_VARIABLES;
    byte leavesLeft = LEAVES;
    place = BACKEND; passing = true;                    /* BackendThread.init passes the turn. */
    startPosters();
Round:
    if
    :: closesAfterTick || closeNow -> goto Close
    :: mayClose -> mayClose = false; goto Close
    :: !closesAfterTick && isInWait && leavesLeft > 0 ->
        leavesLeft--;
        endWaiting();
        if :: actionsLeft > 0 -> userCodeOutside() :: true fi;
        next = FRAME;
        goto Tick
    :: !closesAfterTick && isInWait
    :: !closesAfterTick && !isInWait ->
        if :: actionsLeft > 0 -> userCodeOutside() :: true fi;
        beginWaiting()
    fi;
#ifdef M_SLEEPS_WITHOUT_LOOK
    hasWork = false;         /* mutant */
#else
    lookAtHasWork();
#endif
    if
    :: hasWork
    :: else ->
        sleepOnWaker(false);
        if :: closeNow -> goto Close :: mayClose -> mayClose = false; goto Close :: !closeNow fi;
        goto Round
    fi;
    if :: closeNow -> goto Close :: mayClose -> mayClose = false; goto Close :: !closeNow fi;
    next = WAIT;
Tick:
    tick();
    goto Round;
Close:
    performClose()
}
