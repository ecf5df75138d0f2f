/* SPDX-License-Identifier: Apache-2.0
 * uithread: the UI thread: what the user's code does, the tick, the wait of the loop's, the close. A host puts them together.
 * Idea:   Tick, HostWait, Scheduling, Closing and GuestLoop.hasWork, step by step. Each is there once: a host sets `next` and goes to a label.
 */

/* AfterTick */
#define FRAME   0
#define WAIT    1
#define UNKNOWN 2

/* The UI thread's own variables, for the process of a host. */
#define UI_VARIABLES \
    byte old, news, mark, next, fromInbox, jobsFromInbox; \
    byte actionsLeft = ACTIONS;      /* of the user's code: arm, cancel, schedule */ \
    bool mayClose = CLOSES, mayOverrun = true, mayThrow = true; \
    bool uiThreadHasIt, isInWait, sawReadiness, isTicking, closesAfterTick, isAnnounced, pollFailed; \
    bool ok, wasSet, isKnown, listening, woken, others, due, isHere, hasPolled, hasWork, polls

bool closeNow;               /* the program ends */
bool hasEnded;               /* close has returned */
bool isRested = RESTS;        /* a bounded wait has passed since the last work, and found nothing */

/* GuestLoop.publishDeadline. `clock`: the tick's in a tick, now outside of one. */
inline publishDeadline(clock) {
    if
    :: FIRST < published && FIRST <= clock -> request(READY)
    :: else ->
        /* SharedState.publish */
#ifdef M_DEADLINE_STORED_AFTER_COMPARE
        isHere = place != BACKEND;                                          /* mutant: before the store */
        atomic { isHere = isHere || FIRST >= published; published = FIRST };
        if :: isHere || failureTold :: else -> wakeBackend() fi;
#else
#ifdef M_WAKE_BEFORE_STORE
        isHere = place != BACKEND;
        if :: isHere || failureTold || FIRST >= published :: else -> wakeBackend() fi;
        published = FIRST;                                                  /* mutant: after the wake */
#else
        atomic { isHere = FIRST >= published || failureTold; published = FIRST };
        if
        :: isHere
        :: else ->
            isHere = place != BACKEND;
            if :: isHere :: else -> wakeBackend() fi
        fi;
#endif
#endif
        isHere = false
    fi
}

/* What the user's code does between two ticks: GuestLoop.arm, timerWasCancelled, appendReady. */
inline userCodeOutside() {
    if
    :: d_step { actionsLeft > 0 && !timer1 -> actionsLeft--; timer1 = true };
        publishDeadline(now)
    :: d_step { actionsLeft > 0 && !ONE_TIMER && !timer2 -> actionsLeft--; timer2 = true };
        if :: timer1 :: else -> publishDeadline(now) fi
    :: d_step { actionsLeft > 0 && !ONE_TIMER && timer1 -> actionsLeft--; timer1 = false };
        publishDeadline(now)
    :: d_step {
            actionsLeft > 0 && !ONE_TIMER -> actionsLeft--;
            ready++;
            isKnown = (requests & (READY | UNDER_WAY)) == (READY | UNDER_WAY);
            if :: isKnown -> lastWasRefused = false :: else fi
        };
        if :: isKnown -> isKnown = false :: else -> request(READY) fi
    :: d_step { actionsLeft > 0 -> actionsLeft = 0 }
    fi
}

/* The same in a callback: deadlines are published at the end of the tick, and nobody has to be asked. */
inline userCodeInTick() {
    if
    :: d_step { actionsLeft > 0 && !timer1 -> actionsLeft--; timer1 = true }
    :: d_step { actionsLeft > 0 && !ONE_TIMER && !timer2 -> actionsLeft--; timer2 = true }
    :: d_step { actionsLeft > 0 && !ONE_TIMER && timer1 -> actionsLeft--; timer1 = false }
    :: d_step { actionsLeft > 0 && !ONE_TIMER -> actionsLeft--; ready++ }
    :: d_step { mayClose -> mayClose = false; closesAfterTick = true }
    :: true
    fi
}

/* Waker.drain */
inline drain() {
#ifdef M_WAKER_FLAG_CLEARED_FIRST
    isSignalled = false;          /* mutant: before the read */
    wakerDescriptor = false
#else
    wakerDescriptor = false;
    isSignalled = false
#endif
}

/* Waker.arm, Waker.disarm */
inline arm() {
#ifndef M_LISTENS_AFTER_LOOK
    isListening = true;
#endif
    if :: isSignalled -> drain() :: else fi
}
inline disarm() { isListening = false }

/* GuestLoop.hasWork */
inline lookAtHasWork() {
    atomic {
        if
        :: isClosed || closesAfterTick -> hasWork = false
        :: !isClosed && !closesAfterTick && (requests != 0 || ready > 0 || isAnnounced || sawReadiness) -> hasWork = true
        :: else ->
            hasWork = FIRST <= now;
#ifndef M_HAS_WORK_NOTES_NOTHING
            if :: hasWork -> requests = requests | READY :: else fi    /* SharedState.note */
#endif
        fi
    }
}

/* GuestLoop.reclaim, with PollTurn.reclaim */
inline reclaim() {
    d_step {
        if
#ifdef M_LIES_WHILE_IT_SLEEPS
        :: place == LEASED                                /* mutant: it is left lying, and used */
#else
        :: place == LEASED -> place = LOOP
#endif
        :: place == LOOP
        :: else -> uiThreadHasIt = false; sawReadiness = false           /* turnIsGone */
        fi
    }
}

/* PollTurn.beginLease */
inline beginLease() {
    d_step { leasedSinceTimer = true; place = LEASED };
#ifndef M_NO_LEASE
    setLeaseTimer()
#endif
}

/* PollTurn.stopTimer */
inline stopLeaseTimer() {
#ifdef M_LEASE_FLAG_CLEARED_FIRST
    isTimed = false;         /* mutant: before the timer is stopped, and whatever it is */
    d_step { leaseTimerSet = false; leaseTimerFired = false }
#else
    if
    :: isTimed ->
        d_step { leaseTimerSet = false; leaseTimerFired = false };
        isTimed = false
    :: else
    fi
#endif
}

/* GuestLoop.passTurn, with PollTurn.pass */
inline passTurn() {
    d_step { uiThreadHasIt = false; sawReadiness = false; place = BACKEND };
#ifndef M_PASSED_WITHOUT_WAKE
    wakeTurn()
#endif
}

/* GuestLoop.whileWaiting: its beginning and its end */
inline beginWaiting() {
    arm();
    if :: uiThreadHasIt -> reclaim() :: else fi;
    isInWait = true
}
inline endWaiting() {
    isInWait = false;
    if :: uiThreadHasIt -> beginLease() :: else fi;
    disarm()
}

/* GuestLoop.sleep, with Waker.sleep. In whileWaiting, after lookAtHasWork. `look`: the host ends the sleep to look for something itself. */
inline sleepOnWaker(look) {
    polls = isInWait && uiThreadHasIt;
    woken = false;
    /* GuestLoop.waitAwake: sometimes */
    if
    :: MAY_WAIT_AWAKE ->
        isSuppressed = true;
        if :: requests != 0 :: true fi;
        isSuppressed = false;
#ifndef M_NO_LOOK_AFTER_UNMUTE
        woken = requests != 0
#endif
    :: true
    fi;
    if
    :: woken -> woken = false
    :: else ->
        if
        :: polls ->
            polls = false;
            stopLeaseTimer();
#ifndef M_SLEEPS_WITHOUT_FLAG
            wasSet = isSignalled;
#endif
            atomic {
                /* Poller.sleep, in the set of which the waker is an entry */
                wasSet || wakerReport || peerWrote || wakePipe || FIRST <= now || (look) || closeNow ->
                assert(!backendHasTurn && !found /* one side polls, and nothing twice */);
                woken = wasSet || wakerReport;
                isHere = wakePipe;
                found = peerWrote;
                sawReadiness = found;
                wakerReport = false;
                wasSet = false
            };
            if :: isHere -> isHere = false; emptyWakePipe() :: else fi;
            if :: woken -> woken = false; isSignalled = false :: else fi
        :: else ->
            /* tandem_wait_readable(waker, …, timeout) */
            atomic { wakerDescriptor || (look) || closeNow -> woken = wakerDescriptor };
            if :: woken -> woken = false; drain() :: else fi
        fi
    fi
}

/* Inbox.empty, with Inbox.swapOut */
inline emptyInbox() {
    atomic {
        !inboxLock ->
        isAnnounced = false;
        ready = ready + entries;
        fromInbox = fromInbox + entries;
        jobsFromInbox = jobsFromInbox + jobEntries;
        entries = 0;
        jobEntries = 0
    }
}

/* One post, callback or job of the queue. */
inline runOne() {
    d_step {
        ready--;
        if :: fromInbox > 0 -> fromInbox--; pending-- :: else fi;
        if :: fromInbox == 0 -> runsLeft = runsLeft - jobsFromInbox; jobsFromInbox = 0 :: else fi
    }
}

/* GuestLoop.tick, to its end. `next` says what the host does afterwards.
 * Steps that touch nothing shared belong to the step before them. */
inline tick() {
    atomic {
        if
        :: isTicking || isClosed -> goto TickEnds       /* refuseNestedTick */
        :: else
        fi;
        /* hasNothingAtAGlance */
        if
        :: requests == 0 && !uiThreadHasIt && !(failureTold && FIRST <= now) -> goto TickEnds
        :: else
        fi;
        /* SharedState.take([.hint, .ready]) */
#ifndef M_HINT_CLEARED_AFTER_QUEUES
        requests = requests & ~(UNDER_WAY | READY);
        asks = 0;
#endif
        isTicking = true;
        sawReadiness = false;
        hasPolled = false;
        pollFailed = false
    };
    if :: uiThreadHasIt -> reclaim() :: else fi;
    /* runPasses */
    do
    :: /* lookAround */
        mark = now;
        atomic {
            others = false;
            woken = false;
            news = requests & (INBOX | TURN | FAILURE);  /* SharedState.take */
#ifdef M_INBOX_BIT_CLEARED_AFTER_LOOK
            requests = requests & ~(TURN | FAILURE)
#else
            requests = requests & ~(INBOX | TURN | FAILURE)
#endif
        };
        atomic {
            if
            :: news & TURN ->
                assert(!backendHasTurn /* one side polls */);
                uiThreadHasIt = true;
                place = LOOP;                      /* PollTurn.receive */
                others = found;                         /* harvest */
                found = false
            :: !(news & TURN) && uiThreadHasIt && found ->
                assert(!backendHasTurn);
                others = true;                     /* what the sleep before the tick has found */
                found = false
            :: !(news & TURN) && uiThreadHasIt && !found && (!hasPolled || peerWrote) ->
                /* GuestLoop.poll: the hot turn */
                assert(!backendHasTurn /* one side polls */);
                others = peerWrote && !epollBroken;
                woken = wakePipe && !epollBroken;
                wakerReport = wakerReport && epollBroken;
                pollFailed = epollBroken
            :: !(news & TURN) && (!uiThreadHasIt || (hasPolled && !found))
            :: !(news & TURN) && uiThreadHasIt && !found && !hasPolled && next == WAIT
                /* TickBudget.mayPoll: the sleep before saw nothing, whenever that was */
            fi;
            if :: news & FAILURE -> failureTold = true :: else fi
        };
        if :: woken -> woken = false; emptyWakePipe() :: else fi;
        atomic {
            /* collectDueTimers */
            due = false;
            if :: timer1 && mark >= 1 -> timer1 = false; due = true :: else fi;
            if :: timer2 && mark >= 2 -> timer2 = false; due = true :: else fi;
            if :: news & INBOX -> isAnnounced = true :: else fi
        };
        if :: isAnnounced -> emptyInbox() :: else fi;
#ifdef M_INBOX_BIT_CLEARED_AFTER_LOOK
        if :: news & INBOX -> requests = requests & ~INBOX :: else fi;       /* mutant */
#endif
        atomic {
            news = 0;
            if :: others || due || ready > 0 :: else -> break fi;
            hasPolled = true;
            if :: others -> peerWrote = false :: else fi;                  /* its handler */
            others = false;
            due = false;
#ifdef M_THROW_KEEPS_TURN
            if :: mayThrow -> mayThrow = false; goto TickEnds :: skip fi;  /* mutant: around endTick */
#endif
            userCodeInTick();
            /* Each queue gets one piece of work; then the budget may be spent. */
            do
            :: ready > 0 -> runOne(); if :: true :: mayOverrun -> mayOverrun = false; goto EndTick fi
            :: else -> break
            od;
            if :: closesAfterTick -> break :: else fi
        }
    od;
EndTick:
    publishDeadline(mark);
    mark = 0;
    /* passOrKeepTurn */
    if
#ifdef M_PASSES_WHAT_IT_DOES_NOT_HOLD
    :: !uiThreadHasIt -> passTurn()
#else
    :: !uiThreadHasIt
#endif
    :: uiThreadHasIt && next == WAIT && !failureTold && !pollFailed && isInWait
    :: uiThreadHasIt && next != UNKNOWN && !failureTold && !pollFailed && (next == FRAME || !isInWait) -> beginLease()
    :: uiThreadHasIt && (next == UNKNOWN || failureTold || pollFailed) -> passTurn()
    fi;
#ifndef M_LEFTOVERS_ASK_NOBODY
    if :: ready > 0 || isAnnounced -> request(READY) :: else fi;
#endif
#ifdef M_HINT_CLEARED_AFTER_QUEUES
    atomic { requests = requests & ~(UNDER_WAY | READY); asks = 0 };              /* mutant */
#endif
    isTicking = false;
TickEnds:
    skip
}

/* A closing pass runs all. */
inline runAll() {
    d_step { pending = pending - fromInbox; fromInbox = 0; ready = 0; runsLeft = runsLeft - jobsFromInbox; jobsFromInbox = 0 }
}

/* GuestLoop.performClose */
inline performClose() {
    d_step { isTicking = true; closesAfterTick = false };
#ifndef M_INBOX_STAYS_OPEN
    atomic { !inboxLock -> taking = JOBS_ONLY };          /* Inbox.closeToPosts */
#endif
    d_step { timer1 = false; timer2 = false };          /* dropTimers */
    /* drain */
    do
    :: emptyInbox();
        runAll();
        atomic { !inboxLock -> isKnown = entries == 0 };  /* Inbox.isEmpty */
        if
        :: isKnown && runsLeft == 0 -> break
        :: isKnown && runsLeft > 0 -> atomic { arrivals > 0 -> arrivals-- }
        :: else
        fi
    od;
    /* finishClosing */
    isClosed = true;
    atomic { !inboxLock -> taking = CLOSED };             /* Inbox.close */
    /* SharedState.stopBackend */
#ifdef M_BACKEND_WOKEN_BEFORE_FLAG
    wakeBackend();
    wakeTurn();
    isClosing = true;        /* mutant: after the wakes */
#else
    isClosing = true;
    wakeBackend();
#ifndef M_CLOSE_LEAVES_TURN_ASLEEP
    wakeTurn();
#endif
#endif
    backendEnded;            /* pthread_join */
    hostIsReleased = true;   /* SharedState.release */
    /* disposeOfLeftovers: jobs run elsewhere; there must be no post left */
    emptyInbox();
    d_step { pending = pending - jobsFromInbox; runsLeft = runsLeft - jobsFromInbox; jobsFromInbox = 0; fromInbox = 0; ready = 0 };
    hasEnded = true
}

/* At rest: nobody can move. Everything is served, or the host refused the last request. Then the loop closes, and that ends. */
active proctype Watch() {
    timeout && isRested;
    if
    :: !isClosed ->
        assert(postersLeft == 0);
        assert((pending == 0 && ready == 0) || IS_EXCUSED /* no post is lost */);
        assert(FIRST == NEVER || IS_EXCUSED /* every deadline is served */);
        assert(!peerWrote || failureTold || IS_EXCUSED /* every report is served */);
        assert(!epollBroken || failureTold || IS_EXCUSED /* a broken backend is told of */);
        assertHost();
        closeNow = true;
        timeout && isRested
    :: else
    fi;
    assert(hasEnded && backendEnded /* closing ends */);
    assert(postersLeft == 0);
    assert(pending == 0 /* what was accepted ran */);
    assert(runsLeft == 0)
}
