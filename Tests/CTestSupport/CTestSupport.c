// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CTestSupport.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
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

int test_refuse_accept(int error) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept4, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int test_pidfd_of_the_dead(void) {
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    int descriptor = (int)syscall(SYS_pidfd_open, child, 0);
    waitpid(child, NULL, 0);
    return descriptor;
}

int test_timer(void) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    struct itimerspec times = {{0, 1000000}, {0, 1000000}};
    timerfd_settime(timer, 0, &times, NULL);
    return timer;
}

int test_inotify(void) {
    char folder[] = "/tmp/tandem-test-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    int descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    inotify_add_watch(descriptor, folder, IN_DELETE_SELF);
    rmdir(folder);
    return descriptor;
}

long test_thread_time(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}
