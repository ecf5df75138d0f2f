// SPDX-License-Identifier: Apache-2.0
// allocations: counts the calls of malloc, calloc and realloc while asked to; glibc's own do the work.
// Idea:   definitions in the executable come before the C library's, for the libraries it loads, too.

#include "bench.h"
#include <malloc.h>
#include <stdatomic.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static atomic_bool counting;
static _Atomic int64_t counted;

static inline void count(void) {
    if (atomic_load_explicit(&counting, memory_order_relaxed))
        atomic_fetch_add_explicit(&counted, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    count();
    return __libc_realloc(memory, size);
}

void allocations_count(bool on) {
    if (on) atomic_store(&counted, 0);
    atomic_store(&counting, on);
}

int64_t allocations_counted(void) { return atomic_load(&counted); }

int64_t bytes_in_use(void) {
    struct mallinfo2 information = mallinfo2();
    return (int64_t)(information.uordblks + information.hblkhd);
}
