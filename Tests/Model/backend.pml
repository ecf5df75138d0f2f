/* SPDX-License-Identifier: Apache-2.0
 * backend: the backend thread, and the threads that post.
 * Idea:   BackendThread.main, PollTurn.take and Poller.wait, step by step.
 */

/* PollTurn.leaseEnds */
inline leaseEnds() {
    isTimed = false;
    if
    :: place == LEASED ->
#ifdef M_LEASE_TAKES_WITHOUT_COMPARING
        place = BACKEND      /* mutant: a plain store */
#else
        if
        :: leasedSinceTimer -> setLeaseTimer()      /* left > 0: it was put down again since */
        :: d_step { if :: place == LEASED -> place = BACKEND :: else fi }
        fi
#endif
    :: else
    fi
}

active proctype Backend() {
    byte old, seen;
    bool ok, wasSet, listening, woken, leaseOver, others;

Take:                        /* PollTurn.take */
    do
    :: atomic { place == BACKEND -> backendHasTurn = true }; break
    :: else ->
        if
        :: isClosing -> break
        :: else ->
            /* tandem_wait_readable(passing, timer) */
            atomic { passing || leaseTimerFired -> woken = passing; leaseOver = leaseTimerFired };
            if :: woken -> d_step { passing = false; woken = false } :: else fi;
            if
            :: leaseOver ->
                /* It may have been stopped since the wait: then there is nothing to read. */
                atomic { leaseOver = leaseTimerFired; leaseTimerFired = false };
                if :: leaseOver -> leaseOver = false; leaseEnds() :: else fi
            :: else
            fi
        fi
    od;
    if :: isClosing -> goto Ended :: else fi;

    /* BackendThread.sleep */
    do
    :: isClosing -> break
#ifndef M_FOUND_IS_POLLED_OVER
    :: !isClosing && found -> break     /* by a sleep of the UI thread's, and no tick has taken it */
    :: !isClosing && !found ->
#else
    :: else ->
#endif
        assert(!found /* nothing is polled again before it was handled */);
        seen = published;
PollAgain:
        /* Poller.wait */
        atomic {
            epollBroken || peerWrote || wakePipe || wakerReport || seen <= now ->
            assert(backendHasTurn);
            wakerReport = false;
            others = peerWrote; woken = wakePipe
        };
        if
        :: epollBroken ->
            d_step { found = false; others = false; woken = false; seen = 0 };
            d_step { backendHasTurn = false; place = RETURNING };
            request(FAILURE | TURN);
            goto Ended
        :: else
        fi;
#ifdef M_DEADLINE_READ_BEFORE_EMPTYING
        seen = published;
#endif
        if :: woken -> woken = false; emptyWakePipe() :: else fi;
        if
#ifdef M_DEADLINE_READ_BEFORE_EMPTYING
        :: others || seen <= now -> d_step { found = others; others = false; seen = 0 }; break
        :: else -> goto PollAgain   /* mutant: sleeps on for the deadline that it saw before it emptied the pipe */
#else
        :: atomic { others || published <= now -> found = others; others = false; seen = 0 }; break
        :: else
#endif
        fi
    od;
    if :: isClosing -> goto Ended :: else fi;
#ifdef M_TURN_RAISED_BEFORE_GIVEN
    request(TURN);             /* mutant: the note before the turn */
    d_step { backendHasTurn = false; place = RETURNING };
#else
    d_step { backendHasTurn = false; place = RETURNING };   /* PollTurn.giveBack */
    request(TURN);
#endif
    goto Take;
Ended:
    backendEnded = true
}

proctype Poster(byte posts; byte jobs) {
    byte old;
    bool ok, wasSet, late, isKnown, listening;
    do
    :: posts > 0 -> posts--; deliver(false)
    :: posts == 0 && jobs > 0 -> jobs--; deliver(true)
    :: else -> break
    od;
    postersLeft--
}

/* One that has nothing to post would only make more states. */
inline startPosters() {
    atomic {
        if :: POSTS_A > 0 -> run Poster(POSTS_A, 0) :: else -> postersLeft-- fi;
        if :: POSTS_B > 0 || JOBS > 0 -> run Poster(POSTS_B, JOBS) :: else -> postersLeft-- fi
    }
}

/* Time, the kernel's timers, the peer of a watched descriptor. */
active proctype World() {
    bool wrote = !PEER;
    byte breaks = BREAKS;
    do
    :: d_step { now < 2 && (FIRST != NEVER || published != NEVER) -> now++ }    /* Nobody sees time pass that nobody waits for. */
    :: atomic { leaseTimerSet -> leaseTimerSet = false; leaseTimerFired = true }
    :: !wrote -> wrote = true; peerWrote = true
    :: breaks > 0 -> breaks--; epollBroken = true
    :: isClosed && backendEnded -> break
    od
}
