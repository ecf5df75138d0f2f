/* SPDX-License-Identifier: Apache-2.0
 * asked: a host with a loop of its own, which ticks when it was asked to and at no other time. It may refuse a request.
 * Idea:   the hardest host to serve: whatever is announced without a request is lost.
 */
#ifndef REFUSALS
#define REFUSALS 1
#endif
#include "shared.pml"
bool asked;
byte refusalsLeft = REFUSALS;
inline requestTick() {
    if
    :: d_step { asked = true; ok = true; lastWasRefused = false }
    :: d_step { refusalsLeft > 0 -> refusalsLeft--; ok = false }
    fi
}
/* Work may lie there only for this reason. */
#define IS_EXCUSED lastWasRefused
inline assertHost() { skip }
#include "uithread.pml"
#include "backend.pml"

active proctype UIThread() {
    UI_VARIABLES;
#if REGULAR
    next = WAIT;            /* Configuration.expectsRegularTicks: the turn stays on a lease, also if the ticks do not come */
#else
    next = UNKNOWN;
#endif
    place = BACKEND; passing = true;                    /* BackendThread.init passes the turn. */
    startPosters();
Round:
    if
    :: closesAfterTick || closeNow -> goto Close
    :: mayClose -> mayClose = false; goto Close
    :: userCodeOutside()
    :: asked -> asked = false; tick()
    fi;
    goto Round;
Close:
    performClose()
}
