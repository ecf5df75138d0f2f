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
