// SPDX-License-Identifier: Apache-2.0
// Instruments: a clock that no simulation replaces, and the stack of another thread.
//
// A thread's stack can only be walked by that thread while it runs. So it is sent a signal, whose handler walks it.
// What the handler calls has to be safe at any point of the program:
//  - backtrace() of glibc is not on the list of such functions for one reason: its first call loads libgcc_s, which allocates. That is done in
//    `tandem_stack_prepare`. Later calls only read unwind tables; from glibc 2.35 and GCC 12 on they find them without a lock. Before that they take
//    the dynamic loader's lock, which a thread that is interrupted in dlopen has itself, and which is recursive.
//  - gettid, sem_post and atomic variables are safe.
// Names are looked up by the caller, on another thread, since that allocates.
#define _GNU_SOURCE
#include "TandemCLinux.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int64_t tandem_trace_clock(void) {
    static _Atomic(int (*)(clockid_t, struct timespec *)) known;
    int (*clock)(clockid_t, struct timespec *) = atomic_load_explicit(&known, memory_order_relaxed);
    if (clock == NULL) {
        // A simulation stands in front of the C library's function; this is the one behind it.
        clock = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        if (clock == NULL) {
            clock = clock_gettime;
        }
        atomic_store_explicit(&known, clock, memory_order_relaxed);
    }
    struct timespec time;
    clock(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

enum { CAPACITY = 64 };
static const int SIGNAL = SIGURG;

// Written by the thread that was asked, before it posts `answered`; read by the one that asked, after that. The number is stored after the
// addresses, so that the order holds by itself: the thread sanitizer does not know `sem_clockwait`.
static void *found[CAPACITY];
static _Atomic int found_count;
// The kernel id of the thread that is asked; 0: nobody is.
static _Atomic int asked;
static sem_t answered;
// A thread was asked and has not answered yet; the caller's alone.
static bool is_owed;
static pthread_mutex_t preparing = PTHREAD_MUTEX_INITIALIZER;
static bool is_prepared;

static void walk(int signal) {
    (void)signal;
    int error = errno;
    if (atomic_load(&asked) == (int)syscall(SYS_gettid)) {
        atomic_store(&asked, 0);
        atomic_store_explicit(&found_count, backtrace(found, CAPACITY), memory_order_release);
        sem_post(&answered);
    }
    errno = error;
}

bool tandem_stack_prepare(void) {
    pthread_mutex_lock(&preparing);
    if (!is_prepared) {
        struct sigaction present;
        if (sigaction(SIGNAL, NULL, &present) == 0 && (present.sa_flags & SA_SIGINFO) == 0 &&
            (present.sa_handler == SIG_DFL || present.sa_handler == SIG_IGN)) {
            void *frames[4];
            backtrace(frames, 4);
            sem_init(&answered, 0, 0);
            struct sigaction action = {.sa_handler = walk, .sa_flags = SA_RESTART};
            sigemptyset(&action.sa_mask);
            is_prepared = sigaction(SIGNAL, &action, NULL) == 0;
        }
    }
    bool is_ready = is_prepared;
    pthread_mutex_unlock(&preparing);
    return is_ready;
}

static bool wait_for_answer(int64_t nanoseconds) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t sum = until.tv_nsec + nanoseconds;
    until.tv_sec += sum / 1000000000;
    until.tv_nsec = sum % 1000000000;
    while (sem_clockwait(&answered, CLOCK_MONOTONIC, &until) != 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

int tandem_stack_of(int thread, void **frames, int capacity, int64_t nanoseconds) {
    static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
    int count = 0;
    pthread_mutex_lock(&asking);
    // The buffer belongs to a thread that may still answer.
    if (is_owed && sem_trywait(&answered) == 0) {
        is_owed = false;
    }
    if (is_prepared && !is_owed) {
        atomic_store(&asked, thread);
        if (syscall(SYS_tgkill, getpid(), thread, SIGNAL) != 0) {
            atomic_store(&asked, 0);
        } else if (wait_for_answer(nanoseconds)) {
            count = atomic_load_explicit(&found_count, memory_order_acquire);
            count = count < capacity ? count : capacity;
            memcpy(frames, found, (size_t)count * sizeof *frames);
        } else {
            // Not yet begun: it is called off. Begun: it will answer.
            int expected = thread;
            is_owed = !atomic_compare_exchange_strong(&asked, &expected, 0);
        }
    }
    pthread_mutex_unlock(&asking);
    return count;
}

char *tandem_stack_frame(void *address) {
    typedef char *(*demangler)(const char *, size_t, char *, size_t *, uint32_t);
    char *text = NULL;
    Dl_info info;
    // A return address stands behind the call, which may be the last instruction of its function.
    if (dladdr((char *)address - 1, &info) == 0 || info.dli_fname == NULL) {
        return asprintf(&text, "%p", address) < 0 ? NULL : text;
    }
    const char *file = strrchr(info.dli_fname, '/');
    file = file != NULL ? file + 1 : info.dli_fname;
    if (info.dli_sname == NULL) {
        size_t offset = (size_t)((char *)address - (char *)info.dli_fbase);
        return asprintf(&text, "%s+0x%zx", file, offset) < 0 ? NULL : text;
    }
    demangler demangle = (demangler)dlsym(RTLD_DEFAULT, "swift_demangle");
    char *plain = demangle != NULL ? demangle(info.dli_sname, strlen(info.dli_sname), NULL, NULL, 0) : NULL;
    size_t offset = (size_t)((char *)address - (char *)info.dli_saddr);
    int length = asprintf(&text, "%s + %zu (%s)", plain != NULL ? plain : info.dli_sname, offset, file);
    free(plain);
    return length < 0 ? NULL : text;
}
