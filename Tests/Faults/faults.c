// SPDX-License-Identifier: Apache-2.0
// faults.c: loaded before the C library and SDL (LD_PRELOAD). It counts the calls that the program makes, by call site, and lets one of them fail.
// Idea:   a call site is the chain of return addresses inside of the program itself, up to `FRAMES` of them. They are found by the frame pointers, which
//         debug builds keep, so that this costs little and is allowed inside a signal handler. Calls that other libraries make are left alone.
//         The table of sites is a file that is mapped: it survives whatever happens to the program.
// Owner:  any thread; the table is written by atomic operations only.
// Breaks: a function here that called another one of these by its name would count its own call.
//
// FAULTS_TABLE=FILE                       where the counts go
// FAULTS=FUNCTION;FRAMES;FROM;COUNT;KIND;NUMBER   FRAMES: offsets in hexadecimal with commas between them, the first frames of the site;
//                                         FROM: the first call of the site that fails, from 1; COUNT: how many do, -1 for all;
//                                         KIND: error (the call is not made), after (it is made, and fails), zero (not made, gives 0), short (for one byte or
//                                         message only), value (getsockopt gives NUMBER)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 6, SITES = 8192 };

struct site {
    _Atomic uint64_t key;
    _Atomic uint32_t calls;
    _Atomic uint32_t failed;
    uint64_t frames[FRAMES];
    char function[40];
};

static struct site *table;
static uintptr_t program_start, program_end, program_base, overlay_start, overlay_end;

static struct {
    char function[40];
    int depth;
    uint64_t frames[FRAMES];
    long from, count;
    char kind[8];
    int number;
} fault;
static _Atomic long matched;

static int find_program(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    bool is_overlay = strstr(object->dlpi_name, "libswiftGlibc.so") != NULL;
    if (object->dlpi_name[0] != 0 && !is_overlay) {
        return 0;
    }
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[index];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) {
            continue;
        }
        uintptr_t start = object->dlpi_addr + part->p_vaddr, end = start + part->p_memsz;
        if (is_overlay) {
            overlay_start = start, overlay_end = end;
        } else if (program_start == 0) {
            program_base = object->dlpi_addr, program_start = start, program_end = end;
        }
    }
    return 0;
}

static void read_fault(const char *text) {
    char copy[512], *parts[6], *rest = copy;
    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    for (int index = 0; index < 6; index++) {
        parts[index] = strsep(&rest, ";");
        if (parts[index] == NULL) {
            return;
        }
    }
    strncpy(fault.function, parts[0], sizeof fault.function - 1);
    for (char *frame; fault.depth < FRAMES && (frame = strsep(&parts[1], ",")) != NULL;) {
        fault.frames[fault.depth++] = strtoull(frame, NULL, 16);
    }
    fault.from = atol(parts[2]);
    fault.count = atol(parts[3]);
    strncpy(fault.kind, parts[4], sizeof fault.kind - 1);
    fault.number = atoi(parts[5]);
}

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULTS_TABLE"), *text = getenv("FAULTS");
    unsetenv("LD_PRELOAD");
    dl_iterate_phdr(find_program, NULL);
    if (text != NULL) {
        read_fault(text);
    }
    if (name == NULL) {
        return;
    }
    // The functions by their symbols in the C library: those of this file are not to be counted.
    int (*open_file)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    int (*close_file)(int) = dlsym(RTLD_NEXT, "close");
    int file = open_file(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof(struct site) * SITES) != 0) {
        return;
    }
    void *memory = mmap(NULL, sizeof(struct site) * SITES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close_file(file);
    if (memory != MAP_FAILED) {
        table = memory;
    }
}

static bool is_program(uintptr_t address) { return address >= program_start && address < program_end; }

static struct site *site_of(const char *function, const uint64_t *frames) {
    if (table == NULL) {
        return NULL;
    }
    uint64_t key = 14695981039346656037u;
    for (const char *letter = function; *letter; letter++) {
        key = (key ^ (unsigned char)*letter) * 1099511628211u;
    }
    for (int index = 0; index < FRAMES; index++) {
        key = (key ^ frames[index]) * 1099511628211u;
    }
    key |= 1;
    for (uint64_t place = key % SITES, tries = 0; tries < SITES; place = (place + 1) % SITES, tries++) {
        uint64_t before = 0;
        struct site *site = &table[place];
        if (atomic_compare_exchange_strong(&site->key, &before, key)) {
            memcpy(site->frames, frames, sizeof site->frames);
            strncpy(site->function, function, sizeof site->function - 1);
            return site;
        }
        if (before == key) {
            return site;
        }
    }
    return NULL;
}

// Whether this call, which `frame` is the frame of, is to fail. Counts it.
static bool fails(const char *function, void *frame) {
    int before = errno;
    uint64_t frames[FRAMES] = {0};
    int depth = 0;
    uintptr_t *pointer = frame;
    if (overlay_start != 0 && pointer[1] >= overlay_start && pointer[1] < overlay_end) {
        pointer = (uintptr_t *)pointer[0];
    }
    while (depth < FRAMES && is_program(pointer[1])) {
        frames[depth++] = pointer[1] - program_base;
        uintptr_t *next = (uintptr_t *)pointer[0];
        // A stack grows downwards, and no frame of it is larger than that.
        if (next <= pointer || (char *)next - (char *)pointer > 1 << 20) {
            break;
        }
        pointer = next;
    }
    if (depth == 0) {
        return false;
    }
    struct site *site = site_of(function, frames);
    if (site != NULL) {
        atomic_fetch_add(&site->calls, 1);
    }
    bool is_hit = fault.depth > 0 && depth >= fault.depth && strcmp(function, fault.function) == 0 &&
                  memcmp(frames, fault.frames, (size_t)fault.depth * sizeof frames[0]) == 0;
    if (is_hit) {
        long call = atomic_fetch_add(&matched, 1) + 1;
        is_hit = call >= fault.from && (fault.count < 0 || call < fault.from + fault.count);
    }
    if (is_hit && site != NULL) {
        atomic_fetch_add(&site->failed, 1);
    }
    errno = before;
    return is_hit;
}

static bool kind_is(const char *kind) { return strcmp(fault.kind, kind) == 0; }

#define NEXT(function) \
    static __typeof__(&function) next; \
    if (next == NULL) { \
        next = (__typeof__(&function))dlsym(RTLD_NEXT, #function); \
    }

// What every call does: it fails with -1 and errno, without having been made or after it was, or it gives 0.
#define CALL(result, function, parameters, ...) \
    result function parameters { \
        NEXT(function) \
        if (fails(#function, __builtin_frame_address(0)) && !kind_is("short")) { \
            if (kind_is("after")) { \
                (void)next(__VA_ARGS__); \
            } \
            if (kind_is("zero")) { \
                return 0; \
            } \
            errno = fault.number; \
            return (result)-1; \
        } \
        return next(__VA_ARGS__); \
    }

// As above, for what may also do less than it was asked for: `amount` becomes 1.
#define PARTIAL(result, function, amount, parameters, ...) \
    result function parameters { \
        NEXT(function) \
        if (fails(#function, __builtin_frame_address(0))) { \
            if (kind_is("short")) { \
                if (amount > 1) { \
                    amount = 1; \
                } \
                return next(__VA_ARGS__); \
            } \
            if (kind_is("zero")) { \
                return 0; \
            } \
            if (kind_is("after")) { \
                (void)!next(__VA_ARGS__); \
            } \
            errno = fault.number; \
            return -1; \
        } \
        return next(__VA_ARGS__); \
    }

// Functions that return the error's number.
#define NUMBERED(function, parameters, ...) \
    int function parameters { \
        NEXT(function) \
        return fails(#function, __builtin_frame_address(0)) ? fault.number : next(__VA_ARGS__); \
    }

CALL(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), fd, address, size, flags)
CALL(int, bind, (int fd, const struct sockaddr *address, socklen_t size), fd, address, size)
CALL(int, close, (int fd), fd)
CALL(int, connect, (int fd, const struct sockaddr *address, socklen_t size), fd, address, size)
CALL(int, dup3, (int from, int to, int flags), from, to, flags)
CALL(int, epoll_create1, (int flags), flags)
CALL(int, epoll_ctl, (int set, int operation, int fd, struct epoll_event *event), set, operation, fd, event)
CALL(int, epoll_wait, (int set, struct epoll_event *events, int count, int timeout), set, events, count, timeout)
CALL(int, eventfd, (unsigned count, int flags), count, flags)
CALL(int, eventfd_read, (int fd, uint64_t *value), fd, value)
CALL(int, eventfd_write, (int fd, uint64_t value), fd, value)
CALL(int, getpeername, (int fd, struct sockaddr *address, socklen_t *size), fd, address, size)
CALL(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size), fd, address, size)
CALL(int, getrlimit, (__rlimit_resource_t resource, struct rlimit *limit), resource, limit)
CALL(int, link, (const char *from, const char *to), from, to)
CALL(int, listen, (int fd, int backlog), fd, backlog)
CALL(int, lstat, (const char *path, struct stat *status), path, status)
CALL(int, stat, (const char *path, struct stat *status), path, status)
CALL(int, fstat, (int fd, struct stat *status), fd, status)
CALL(int, nanosleep, (const struct timespec *time, struct timespec *left), time, left)
CALL(int, pipe2, (int ends[2], int flags), ends, flags)
CALL(int, poll, (struct pollfd *all, nfds_t count, int timeout), all, count, timeout)
CALL(int, ppoll, (struct pollfd *all, nfds_t count, const struct timespec *time, const sigset_t *mask), all, count, time, mask)
CALL(int, rename, (const char *from, const char *to), from, to)
CALL(int, sem_clockwait, (sem_t *semaphore, clockid_t clock, const struct timespec *until), semaphore, clock, until)
CALL(int, sem_init, (sem_t *semaphore, int shared, unsigned value), semaphore, shared, value)
CALL(int, sem_post, (sem_t *semaphore), semaphore)
CALL(int, sem_trywait, (sem_t *semaphore), semaphore)
CALL(int, sem_wait, (sem_t *semaphore), semaphore)
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), fd, level, name, value, size)
CALL(int, shutdown, (int fd, int how), fd, how)
CALL(int, sigaction, (int number, const struct sigaction *action, struct sigaction *former), number, action, former)
CALL(int, socket, (int family, int type, int protocol), family, type, protocol)
CALL(int, socketpair, (int family, int type, int protocol, int ends[2]), family, type, protocol, ends)
CALL(int, timerfd_create, (clockid_t clock, int flags), clock, flags)
CALL(int, timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *former), fd, flags, value, former)
CALL(int, unlink, (const char *path), path)

PARTIAL(ssize_t, read, size, (int fd, void *bytes, size_t size), fd, bytes, size)
PARTIAL(ssize_t, write, size, (int fd, const void *bytes, size_t size), fd, bytes, size)
PARTIAL(ssize_t, pwrite, size, (int fd, const void *bytes, size_t size, off_t place), fd, bytes, size, place)
PARTIAL(ssize_t, recv, size, (int fd, void *bytes, size_t size, int flags), fd, bytes, size, flags)
PARTIAL(ssize_t, send, size, (int fd, const void *bytes, size_t size, int flags), fd, bytes, size, flags)
PARTIAL(ssize_t, sendto, size, (int fd, const void *bytes, size_t size, int flags, const struct sockaddr *to, socklen_t length), fd, bytes, size, flags, to, length)
CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), fd, message, flags)
PARTIAL(int, recvmmsg, count, (int fd, struct mmsghdr *all, unsigned count, int flags, struct timespec *time), fd, all, count, flags, time)
PARTIAL(int, sendmmsg, count, (int fd, struct mmsghdr *all, unsigned count, int flags), fd, all, count, flags)

NUMBERED(pthread_create, (pthread_t *thread, const pthread_attr_t *how, void *(*body)(void *), void *argument), thread, how, body, argument)
NUMBERED(pthread_key_create, (pthread_key_t *key, void (*end)(void *)), key, end)
NUMBERED(pthread_setspecific, (pthread_key_t key, const void *value), key, value)
NUMBERED(pthread_setname_np, (pthread_t thread, const char *name), thread, name)
NUMBERED(pthread_getname_np, (pthread_t thread, char *name, size_t size), thread, name, size)
NUMBERED(getaddrinfo, (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list), host, service, hints, list)

int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
    NEXT(getsockopt)
    if (fails("getsockopt", __builtin_frame_address(0))) {
        if (kind_is("value")) {
            int result = next(fd, level, name, value, size);
            if (level == SOL_SOCKET && name == SO_ERROR) {
                memcpy(value, &fault.number, sizeof fault.number);
            }
            return result;
        }
        errno = fault.number;
        return -1;
    }
    return next(fd, level, name, value, size);
}

extern void *__libc_calloc(size_t count, size_t size);
void *calloc(size_t count, size_t size) {
    if (program_start != 0 && fails("calloc", __builtin_frame_address(0))) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_calloc(count, size);
}

int open(const char *path, int flags, ...) {
    NEXT(open)
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fails("open", __builtin_frame_address(0))) {
        errno = fault.number;
        return -1;
    }
    return next(path, flags, mode);
}

// All uses have at most one argument, which fits into a pointer.
#define VARIADIC(function, Command) \
    int function(int fd, Command command, ...) { \
        NEXT(function) \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        if (fails(#function, __builtin_frame_address(0))) { \
            errno = fault.number; \
            return -1; \
        } \
        return next(fd, command, argument); \
    }
VARIADIC(fcntl, int)
int ioctl(int fd, unsigned long command, ...);
VARIADIC(ioctl, unsigned long)

long syscall(long number, ...) {
    NEXT(syscall)
    va_list rest;
    long arguments[6];
    va_start(rest, number);
    for (int index = 0; index < 6; index++) {
        arguments[index] = va_arg(rest, long);
    }
    va_end(rest);
    // gettid cannot fail.
    const char *name = number == 441 ? "epoll_pwait2" : number == 234 ? "tgkill" : NULL;
    if (name != NULL && fails(name, __builtin_frame_address(0))) {
        if (kind_is("zero")) {
            return 0;
        }
        errno = fault.number;
        return -1;
    }
    return next(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
}

int prctl(int option, ...) {
    NEXT(prctl)
    va_list rest;
    unsigned long arguments[4];
    va_start(rest, option);
    for (int index = 0; index < 4; index++) {
        arguments[index] = va_arg(rest, unsigned long);
    }
    va_end(rest);
    if (fails("prctl", __builtin_frame_address(0))) {
        errno = fault.number;
        return -1;
    }
    return next(option, arguments[0], arguments[1], arguments[2], arguments[3]);
}

// SDL's, declared here by their binary form: an SDL_Event is 56 bytes, all enumerations are int.
#define SDL(result, failure, function, parameters, ...) \
    result function parameters { \
        static result(*next) parameters; \
        if (next == NULL) { \
            next = (result(*) parameters)dlsym(RTLD_NEXT, #function); \
        } \
        if (fails(#function, __builtin_frame_address(0))) { \
            return (result)(kind_is("value") ? (intptr_t)fault.number : (intptr_t)(failure)); \
        } \
        return next(__VA_ARGS__); \
    }

SDL(int, -1, SDL_InitSubSystem, (uint32_t flags), flags)
SDL(uint32_t, -1, SDL_RegisterEvents, (int count), count)
SDL(int, -1, SDL_PeepEvents, (void *events, int count, int action, uint32_t first, uint32_t last), events, count, action, first, last)
SDL(int, -1, SDL_PushEvent, (void *event), event)
SDL(int, 0, SDL_PollEvent, (void *event), event)
SDL(int, 0, SDL_WaitEventTimeout, (void *event, int timeout), event, timeout)
SDL(int, 0, SDL_HasEvent, (uint32_t type), type)
SDL(int, 0, SDL_HasEvents, (uint32_t first, uint32_t last), first, last)
SDL(uint8_t, 0, SDL_EventState, (uint32_t type, int state), type, state)
SDL(const char *, 0, SDL_GetCurrentVideoDriver, (void), )
SDL(uint32_t, 0, SDL_WasInit, (uint32_t flags), flags)
SDL(int, -1, SDL_GetCurrentDisplayMode, (int display, void *mode), display, mode)
SDL(int, -1, SDL_GetWindowDisplayIndex, (void *window), window)
SDL(void *, 0, SDL_GetWindowFromID, (uint32_t number), number)
SDL(int, 0, SDL_GetWindowWMInfo, (void *window, void *information), window, information)
SDL(int, -1, SDL_NumJoysticks, (void), )
SDL(int, -1, SDL_NumSensors, (void), )
