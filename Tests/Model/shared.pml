/* SPDX-License-Identifier: Apache-2.0
 * shared: what both threads touch, and what any thread may do with it.
 * Idea:   each step is one access to something shared, with the local consequences of it; a lock's section is two steps.
 *         The variables and the steps have the names of the code; `Sources/Tandem/Tandem.docc/TheModel.md` says which line each stands for.
 * Owner:  included by every model. A model defines its host before (HOST_...), and may set the budgets below.
 *
 * Time:   `now` goes from 0 to 2, at any moment, by a process of its own. A deadline is 1 or 2. A kernel timer that is set goes off at any moment.
 * Order:  memory is sequentially consistent here.
 */

/* Budgets: how often the surroundings may do something. */
#ifndef POSTS_A
#define POSTS_A 1
#endif
#ifndef POSTS_B
#define POSTS_B 1
#endif
#ifndef ACTIONS
#define ACTIONS 2
#endif
/* Whether the user's code arms the timer that is due at 1, and does nothing else. */
#ifndef ONE_TIMER
#define ONE_TIMER false
#endif
/* Whether the program closes the loop at any moment; otherwise it does once nothing is left to do. */
#ifndef CLOSES
#define CLOSES false
#endif
#ifndef REFUSALS
#define REFUSALS 0
#endif
#ifndef LEAVES
#define LEAVES 0
#endif
#ifndef JOBS
#define JOBS 0
#endif
#ifndef BREAKS
#define BREAKS 0
#endif
#ifndef PEER
#define PEER true
#endif
/* false: the host's wait is bounded, and at rest only once the bound has passed. */
#ifndef RESTS
#define RESTS true
#endif
#ifndef PUSHES
#define PUSHES 0
#endif

#define NEVER 7

/* --- The kernel. An eventfd or a timerfd is: can it be read? */
byte now;
bool passing;                /* PollTurn.passing */
bool leaseTimerSet;          /* PollTurn.timer runs */
bool leaseTimerFired;        /* … and can be read */
bool wakePipe;               /* WakePipe.descriptor */
bool wakerDescriptor;         /* Waker.descriptor */
bool wakerReport;            /* ... was written since the epoll set has reported it */
bool peerWrote;              /* a watched descriptor is ready, until its handler has read it */
bool epollBroken;            /* something has closed the epoll set */

/* --- Signals */
#define UNDER_WAY    1
#define INBOX   2
#define TURN    4
#define FAILURE 8
#define READY   16
byte requests;

/* --- SharedState */
byte published = NEVER;      /* deadline */
bool isClosing;
bool found;                  /* the event buffer holds what nobody has handled */
bool hostIsReleased;

/* --- Turn */
#define BACKEND    0
#define LOOP  1
#define LEASED       2
#define RETURNING 3
byte place = LOOP;
bool isTimed;
bool leasedSinceTimer;      /* leasedAt is later than the setting of the timer */

/* --- WakePipe, Waker */
bool isWritten;
bool isListening, isSignalled, isSuppressed;

/* --- Inbox */
#define OPEN      0
#define JOBS_ONLY 1
#define CLOSED    2
bool inboxLock;
byte taking;                   /* State.taking */
byte entries;                /* State.entries */
byte arrivals;               /* the semaphore */

/* --- The UI thread's own, which the properties look at. */
bool timer1, timer2;         /* armed: due at 1, at 2 */
byte ready;                  /* TaskQueue `ready` */
bool failureTold;
bool isClosed;
byte runsLeft = JOBS;        /* runs that end by a job from another thread */
byte jobEntries;             /* how many of the inbox's entries are such jobs */

#define FIRST (timer1 -> 1 : (timer2 -> 2 : NEVER))

/* --- What the properties count. */
byte pending;                /* posts and jobs that were accepted and have not run */
byte asks;                   /* requests for a tick since the last one began, less the refused ones */
bool backendHasTurn;
bool backendEnded;
byte postersLeft = 2;
bool lastWasRefused;         /* the raise that has ended last was refused by the host */

/* SharedState.requestTick. Any thread; `old`, `ok` and `wasSet` are the caller's. */
inline request(news) {
#ifdef M_LOOK_FOR_LISTENER_FIRST
    listening = isListening;       /* mutant: whether somebody listens is read before the work is announced */
#endif
    d_step {
        old = requests & UNDER_WAY;
        requests = requests | news | UNDER_WAY;
#ifdef M_ASK_EACH_TIME
        old = 0;             /* mutant: asks though a request is under way */
#endif
        if
        :: !old -> asks++; assert(asks <= 1 /* one request under way */)
        :: else -> lastWasRefused = false
        fi
    }
    if
    :: old -> old = 0
    :: else ->
        if :: hostIsReleased -> ok = false :: else -> requestTick() fi;
        if
        :: ok -> ok = false
        :: else ->
            d_step {
#ifndef M_REFUSED_HINT_STAYS
                requests = requests & ~UNDER_WAY;
#endif
                if :: asks > 0 -> asks-- :: else fi;
                lastWasRefused = true
            }
        fi
    fi
}

/* Waker.wake, Waker.wakeForLoop */
inline wake() {
    d_step { wasSet = isSignalled; isSignalled = true }
    if
    :: wasSet -> wasSet = false
    :: else -> d_step { wakerDescriptor = true; wakerReport = true }
    fi
}
inline wakeForLoop() {
    if
    :: isSuppressed
    :: else -> wake()
    fi
}

/* PollTurn.setTimer. Either thread. */
inline setLeaseTimer() {
    d_step { wasSet = isTimed; isTimed = true }
    if
    :: wasSet -> wasSet = false
    :: else -> d_step { leaseTimerSet = true; leaseTimerFired = false; leasedSinceTimer = false }
    fi
}

/* PollTurn.wake */
inline wakeTurn() { passing = true }

/* WakePipe.wake */
inline wakeBackend() {
    d_step { wasSet = isWritten; isWritten = true }
    if
    :: wasSet -> wasSet = false
    :: else -> wakePipe = true
    fi
}

/* WakePipe.empty */
inline emptyWakePipe() {
#ifdef M_WAKE_FLAG_CLEARED_FIRST
    isWritten = false;       /* mutant: before the read */
    wakePipe = false
#else
    wakePipe = false;
    isWritten = false
#endif
}

/* SharedState.deliver, with Inbox.append. `isJob`: of a task that is ending. `late` and `isKnown` are the caller's. */
inline deliver(isJob) {
#ifdef M_ANNOUNCE_BEFORE_APPEND
    request(INBOX);            /* mutant: the note before the entry */
#endif
    atomic {
        !inboxLock -> late = false; isKnown = false;
        if
        :: taking == OPEN -> inboxLock = true; entries++; pending++; if :: isJob -> jobEntries++ :: else fi
        :: taking == JOBS_ONLY && isJob ->
            inboxLock = true; entries++; jobEntries++; pending++;
#ifndef M_NO_ARRIVAL
            arrivals++
#endif
        :: else -> late = true      /* told so: .closed */
        fi
    }
    if
    :: late -> late = false
    :: else ->
        d_step {
#ifdef M_KNOWN_BY_INBOX_ALONE
            isKnown = (requests & INBOX) != 0;                             /* mutant: nobody may have been asked for a tick */
#else
            isKnown = (requests & (UNDER_WAY | INBOX)) == (UNDER_WAY | INBOX);
#endif
            inboxLock = false;
            if :: isKnown -> lastWasRefused = false :: else fi
        };
#ifndef M_ANNOUNCE_BEFORE_APPEND
        if :: isKnown -> isKnown = false :: else -> request(INBOX) fi
#endif
    fi
}
