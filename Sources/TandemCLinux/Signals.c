// SPDX-License-Identifier: Apache-2.0
// Signals: one handler for all the signals that Tandem receives, and who receives them.
// Idea:   the handler notes the number in its receiver and writes the receiver's eventfd; all else happens in ticks. Handlers are what
//         `exec` resets: a signal that was blocked for a signalfd would stay blocked in every child.
// Facts:  another library may install its handler over this one and call this one from it, now and after everybody here has gone, and even
//         from inside this one's own call of it. `nesting` tells these calls apart, and `formers` remembers what each of them stands for.
// Owner:  receivers are added and removed on any thread, under `lock`; the handler runs on any thread, and takes no lock.
// Breaks: a receiver that is freed, or whose eventfd is closed, while a handler uses it would have eight bytes written to whatever has
//         that number next. A handler therefore counts itself in `inside` for as long as it uses one, and removing waits for 0.
#define _GNU_SOURCE
#include "include/Signals.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// Handlers of others between one of our calls and the next; more of them take the last one's place.
enum { MOST_FORMERS = 8 };

struct tandem_signal_receiver {
    int eventfd;
    // Bits of signals, from 1 on.
    _Atomic uint64_t arrived;
    // Those whose former handler was called, too.
    _Atomic uint64_t handled;
};

struct route {
    // Takes the signal for itself; nobody else hears of it.
    _Atomic(tandem_signal_receiver *) taker;
    // Is told beside the handler that stood there before.
    _Atomic(tandem_signal_receiver *) listener;
    // What stood where the handler was put: the first one below everything, the last one below the handler that was put there last.
    struct sigaction formers[MOST_FORMERS];
    atomic_int depth;
};

static struct route routes[NSIG];
// How many handlers use a receiver or a former action at this moment.
static atomic_int inside;
// Requests to end that have reached a listener since it began to listen.
static atomic_int requests;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// How often the handler is on this thread's stack, by signal. Initial-exec: no memory is asked for inside a handler.
static _Thread_local unsigned char nesting[NSIG] __attribute__((tls_model("initial-exec")));
// What the last call from inside said: whether it came upon a function of somebody else's; -1 if there was no such call.
static _Thread_local signed char answer[NSIG] __attribute__((tls_model("initial-exec")));

static uint64_t bit(int number) { return UINT64_C(1) << (number - 1); }

static void note(tandem_signal_receiver *receiver, int number) {
    atomic_fetch_or(&receiver->arrived, bit(number));
    uint64_t one = 1;
    // An eventfd that is full is readable already, which is all that is wanted.
    while (write(receiver->eventfd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static void handler(int number, siginfo_t *information, void *context);

static bool is_ours(const struct sigaction *action) {
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == handler;
}

static int install_handler(int number) {
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = handler;
    ours.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&ours.sa_mask);
    return sigaction(number, &ours, NULL);
}

// What the system does with a signal that nobody handles: the end, as a rule. Where it does nothing, all is as before.
static void take_default(int number) {
    struct sigaction standard, before;
    memset(&standard, 0, sizeof standard);
    standard.sa_handler = SIG_DFL;
    sigaction(number, &standard, &before);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, number);
    raise(number);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    sigaction(number, &before, NULL);
}

// Returns whether there was a function to call.
static bool call_former(const struct sigaction *former, int number, siginfo_t *information, void *context) {
    if (former->sa_flags & SA_SIGINFO) {
        former->sa_sigaction(number, information, context);
        return true;
    }
    if (former->sa_handler == SIG_DFL || former->sa_handler == SIG_IGN) {
        return false;
    }
    former->sa_handler(number);
    return true;
}

static void handler(int number, siginfo_t *information, void *context) {
    int saved = errno;
    struct route *route = &routes[number];
    int level = nesting[number];
    struct sigaction former;
    memset(&former, 0, sizeof former);
    former.sa_handler = SIG_DFL;

    atomic_fetch_add(&inside, 1);
    int place = atomic_load(&route->depth) - 1 - level;
    if (place >= 0) {
        former = route->formers[place];
    }
    tandem_signal_receiver *taker = atomic_load(&route->taker);
    bool is_used = taker != NULL || atomic_load(&route->listener) != NULL;
    if (taker != NULL && level == 0) {
        note(taker, number);
    }
    atomic_fetch_sub(&inside, 1);

    bool is_request = is_used && taker == NULL && level == 0;
    if (taker != NULL && level == 0) {
        // Nobody else hears of it.
    } else if (is_request && number != SIGHUP && atomic_fetch_add(&requests, 1) > 0) {
        // The first one got no answer: the user means it. A lost terminal is told of by several, and asks once.
        take_default(number);
    } else {
        answer[number] = -1;
        nesting[number]++;
        bool is_handled = call_former(&former, number, information, context);
        nesting[number]--;
        if (is_handled && answer[number] >= 0) {
            // It only passed the signal on, to here.
            is_handled = answer[number];
        }
        answer[number] = is_handled;
        if (is_request) {
            // SDL's handler installs itself anew each time.
            struct sigaction current;
            if (is_handled && sigaction(number, NULL, &current) == 0 && !is_ours(&current) &&
                current.sa_sigaction == former.sa_sigaction) {
                install_handler(number);
            }
            atomic_fetch_add(&inside, 1);
            tandem_signal_receiver *listener = atomic_load(&route->listener);
            if (listener != NULL) {
                if (is_handled) {
                    atomic_fetch_or(&listener->handled, bit(number));
                }
                note(listener, number);
            }
            atomic_fetch_sub(&inside, 1);
        } else if (!is_used && !is_handled && former.sa_handler == SIG_DFL) {
            // Somebody calls a handler that has nothing to do any more: it stands for what it once replaced.
            take_default(number);
        }
    }
    errno = saved;
}

// With `lock` held: returns when no handler uses anything that it found before.
static void wait_for_handlers(void) {
    // Not by yielding: a thread of a high priority would yield to nobody.
    struct timespec moment = {0, 50000};
    while (atomic_load(&inside) > 0) {
        nanosleep(&moment, NULL);
    }
}

tandem_signal_receiver *tandem_signals_open(void) {
    tandem_signal_receiver *receiver = calloc(1, sizeof *receiver);
    if (receiver == NULL) {
        return NULL;
    }
    receiver->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (receiver->eventfd < 0) {
        int failure = errno;
        free(receiver);
        errno = failure;
        return NULL;
    }
    return receiver;
}

int tandem_signals_descriptor(const tandem_signal_receiver *receiver) { return receiver->eventfd; }

bool tandem_signals_receive(tandem_signal_receiver *receiver, int number, bool takes) {
    struct sigaction current;
    pthread_mutex_lock(&lock);
    if (sigaction(number, NULL, &current) != 0 ||
        (!takes && !(current.sa_flags & SA_SIGINFO) && current.sa_handler == SIG_IGN)) {
        pthread_mutex_unlock(&lock);
        return false;
    }
    struct route *route = &routes[number];
    if (!takes) {
        atomic_store(&requests, 0);
    }
    atomic_store(takes ? &route->taker : &route->listener, receiver);
    if (!is_ours(&current)) {
        // A place that was left may still be read.
        wait_for_handlers();
        int before = atomic_load(&route->depth);
        int depth = before == MOST_FORMERS ? before - 1 : before;
        route->formers[depth] = current;
        atomic_store(&route->depth, depth + 1);
        if (install_handler(number) != 0) {
            int failure = errno;
            atomic_store(takes ? &route->taker : &route->listener, NULL);
            atomic_store(&route->depth, before);
            pthread_mutex_unlock(&lock);
            errno = failure;
            return false;
        }
    }
    pthread_mutex_unlock(&lock);
    return true;
}

static bool forget(_Atomic(tandem_signal_receiver *) *place, tandem_signal_receiver *receiver) {
    return atomic_compare_exchange_strong(place, &receiver, NULL);
}

// Puts back what stood there, unless somebody has replaced the handler since.
static void restore(int number) {
    struct route *route = &routes[number];
    struct sigaction current;
    int depth = atomic_load(&route->depth);
    if (depth > 0 && sigaction(number, NULL, &current) == 0 && is_ours(&current)) {
        sigaction(number, &route->formers[depth - 1], NULL);
        atomic_store(&route->depth, depth - 1);
    }
}

void tandem_signals_end(tandem_signal_receiver *receiver) {
    pthread_mutex_lock(&lock);
    for (int number = 1; number < NSIG; number++) {
        struct route *route = &routes[number];
        bool was_taker = forget(&route->taker, receiver);
        bool was_listener = forget(&route->listener, receiver);
        if ((was_taker || was_listener) && atomic_load(&route->taker) == NULL && atomic_load(&route->listener) == NULL) {
            restore(number);
        }
    }
    wait_for_handlers();
    pthread_mutex_unlock(&lock);
}

void tandem_signals_free(tandem_signal_receiver *receiver) { free(receiver); }

int tandem_signals_take(tandem_signal_receiver *receiver, bool *was_handled) {
    for (int round = 0; round < 2; round++) {
        uint64_t arrived = atomic_load(&receiver->arrived);
        if (arrived != 0) {
            int number = __builtin_ctzll(arrived) + 1;
            *was_handled = (atomic_fetch_and(&receiver->handled, ~bit(number)) & bit(number)) != 0;
            atomic_fetch_and(&receiver->arrived, ~bit(number));
            return number;
        }
        // Emptied before the second look: what comes after that writes anew.
        uint64_t count;
        ssize_t ignored = read(receiver->eventfd, &count, sizeof count);
        (void)ignored;
    }
    errno = EAGAIN;
    return -1;
}

// A child of `fork` has none of the receivers: signals mean to it what they meant before.
static void forget_in_child(void) {
    pthread_mutex_init(&lock, NULL);
    atomic_store(&inside, 0);
    for (int number = 1; number < NSIG; number++) {
        nesting[number] = 0;
        atomic_store(&routes[number].taker, NULL);
        atomic_store(&routes[number].listener, NULL);
        restore(number);
    }
}

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, forget_in_child); }

// MARK: - Masks

static sigset_t mask_of_workers;
static atomic_bool has_mask_of_workers;

void tandem_workers_take_mask_of_this_thread(void) {
    pthread_mutex_lock(&lock);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_of_workers);
    atomic_store(&has_mask_of_workers, true);
    pthread_mutex_unlock(&lock);
}

void tandem_worker_sets_mask(void) {
    pthread_mutex_lock(&lock);
    sigset_t mask = mask_of_workers;
    pthread_mutex_unlock(&lock);
    if (atomic_load(&has_mask_of_workers)) {
        pthread_sigmask(SIG_SETMASK, &mask, NULL);
    }
}
