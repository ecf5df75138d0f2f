/* SPDX-License-Identifier: Apache-2.0
 * frames: a host that draws frames, and ticks in each, whatever its answer to requests is.
 * Idea:   a frame at which nothing is announced reads one word and does nothing; those are left out, so that the host comes to rest.
 *         Its backend may break: a program that closes all descriptors.
 */
#ifndef BREAKS
#define BREAKS 1
#endif
#include "shared.pml"
inline requestTick() { if :: ok = true :: ok = false fi }
/* Work may lie there only for this reason. */
#define IS_EXCUSED false
inline assertHost() { skip }
#include "uithread.pml"
#include "backend.pml"

active proctype UIThread() {
    UI_VARIABLES;
    next = FRAME;
    place = BACKEND; passing = true;                    /* BackendThread.init passes the turn. */
    startPosters();
Round:
    if
    :: closesAfterTick || closeNow -> goto Close
    :: mayClose -> mayClose = false; goto Close
    :: userCodeOutside()
    :: requests != 0 || (uiThreadHasIt && (peerWrote || FIRST <= now)) || (failureTold && FIRST <= now) -> tick()
    fi;
    goto Round;
Close:
    performClose()
}
