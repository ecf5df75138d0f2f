// SPDX-License-Identifier: Apache-2.0
// Options, results, time, chance, and what the kernel counted. See bench.h.

#define _GNU_SOURCE
#include "bench.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int option_count;
static char **options;

void options_read(int count, char **arguments) {
    option_count = count;
    options = arguments;
    if (count < 2) fail("usage: BINARY WORKLOAD key=value...");
}

const char *option_text(const char *name, const char *otherwise) {
    size_t length = strlen(name);
    for (int i = 2; i < option_count; i++) {
        if (strncmp(options[i], name, length) == 0 && options[i][length] == '=') return options[i] + length + 1;
    }
    return otherwise;
}

double option_decimal(const char *name, double otherwise) {
    const char *text = option_text(name, NULL);
    if (!text) return otherwise;
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text) fail("an option is not a number");
    return value;
}

int64_t option_number(const char *name, int64_t otherwise) { return (int64_t)option_decimal(name, (double)otherwise); }

void report(const char *metric, const char *unit, double value) { printf("%s %s %.6g\n", metric, unit, value); }

void not_supported(const char *reason) {
    fprintf(stderr, "%s\n", reason);
    exit(3);
}

void fail(const char *what) {
    fprintf(stderr, "failed: %s (%s)\n", what, strerror(errno));
    exit(1);
}

void samples_reserve(struct samples *samples, size_t capacity) {
    samples->values = malloc(capacity * sizeof(double));
    if (!samples->values) fail("no memory for samples");
    // Touched now, so that no page fault is measured later.
    memset(samples->values, 1, capacity * sizeof(double));
    samples->capacity = capacity;
    samples->count = 0;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_percentile(struct samples *samples, size_t first, double fraction) {
    if (samples->count <= first) fail("no samples");
    size_t count = samples->count - first;
    qsort(samples->values + first, count, sizeof(double), compare);
    size_t index = (size_t)(fraction * (double)count);
    return samples->values[first + (index < count ? index : count - 1)];
}

void report_percentiles(const char *name, struct samples *nanoseconds, size_t first) {
    char metric[64];
    snprintf(metric, sizeof metric, "%sp50", name);
    report(metric, "us", samples_percentile(nanoseconds, first, 0.5) / 1e3);
    snprintf(metric, sizeof metric, "%sp99", name);
    report(metric, "us", samples_percentile(nanoseconds, first, 0.99) / 1e3);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * SECOND_NS + time.tv_nsec;
}

int64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
int64_t process_cpu_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
int64_t thread_cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

void sleep_until_ns(int64_t deadline) {
    struct timespec time = {deadline / SECOND_NS, deadline % SECOND_NS};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR) {}
}

int64_t *random_deadlines(size_t count) {
    int64_t *deadlines = malloc(count * sizeof *deadlines);
    if (!deadlines) fail("no memory for deadlines");
    uint64_t state = RANDOM_SEED;
    for (size_t i = 0; i < count; i++) deadlines[i] = (int64_t)(random_next(&state) % SECOND_NS);
    return deadlines;
}

uint32_t *random_order(size_t count) {
    uint32_t *order = malloc(count * sizeof *order);
    if (!order) fail("no memory for an order");
    uint64_t state = RANDOM_SEED;
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    for (size_t i = count; i > 1; i--) {
        size_t other = random_next(&state) % i;
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    return order;
}

// Adds up "voluntary_ctxt_switches" and "nonvoluntary_ctxt_switches" of one thread.
static void switches_of(const char *path, int64_t *voluntary, int64_t *involuntary) {
    FILE *file = fopen(path, "r");
    if (!file) return;
    char line[256];
    while (fgets(line, sizeof line, file)) {
        sscanf(line, "voluntary_ctxt_switches: %ld", voluntary);
        sscanf(line, "nonvoluntary_ctxt_switches: %ld", involuntary);
    }
    fclose(file);
}

struct switches switches_read(void) {
    struct switches result = {0, 0};
    DIR *threads = opendir("/proc/self/task");
    if (!threads) fail("/proc/self/task cannot be read");
    for (struct dirent *entry; (entry = readdir(threads));) {
        if (entry->d_name[0] == '.') continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        int64_t voluntary = 0, involuntary = 0;
        switches_of(path, &voluntary, &involuntary);
        result.all += voluntary + involuntary;
        // The UI thread is the main thread.
        if (atoi(entry->d_name) == getpid()) result.ui = voluntary;
    }
    closedir(threads);
    return result;
}

void allow_descriptors(size_t count) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t wanted = count + 64;
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) limit.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) not_supported("this machine does not allow so many descriptors");
}

void socket_pair(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
}
