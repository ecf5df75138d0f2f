// SPDX-License-Identifier: Apache-2.0
#include "CTestSupport.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

int test_fork(void (*body)(void *), void *argument) {
    pid_t child = fork();
    if (child == 0) {
        // Another thread may have held a lock of the runtime's when this one was copied; then nobody will ever release it here. A thread of
        // Dispatch's pool, which this may be, blocks the alarm's signal.
        sigset_t alarms;
        sigemptyset(&alarms);
        sigaddset(&alarms, SIGALRM);
        signal(SIGALRM, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
        alarm(5);
        body(argument);
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

long test_allocated_bytes(void) {
    struct mallinfo2 information = mallinfo2();
    return (long)information.uordblks;
}

static void ignore(int number) { (void)number; }

void test_alarm_storm(int microseconds) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore;
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static struct sigaction chained[NSIG];
static volatile sig_atomic_t chain_calls;

// As libraries do that want to see a signal and leave it to whoever had it.
static void chain(int number, siginfo_t *information, void *context) {
    chain_calls++;
    if (chained[number].sa_flags & SA_SIGINFO) {
        chained[number].sa_sigaction(number, information, context);
    } else if (chained[number].sa_handler != SIG_DFL && chained[number].sa_handler != SIG_IGN) {
        chained[number].sa_handler(number);
    }
}

void test_chain_signal(int number) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = chain;
    action.sa_flags = SA_SIGINFO;
    sigaction(number, &action, &chained[number]);
}

int test_chain_calls(void) { return chain_calls; }

void test_block_no_signal(void) {
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

int test_signal_is_default(int number) {
    struct sigaction action;
    sigaction(number, NULL, &action);
    return !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}
