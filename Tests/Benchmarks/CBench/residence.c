// SPDX-License-Identifier: Apache-2.0
// residence: what the kernel says of the process's memory. In a file of its own, since the peers have it, too, and count allocations by themselves.
#include "CBench.h"

#include <stdio.h>

static long field(const char *name) {
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    if (!file) return -1;
    char line[256], format[64];
    long value = -1;
    snprintf(format, sizeof format, "%s: %%ld", name);
    while (value < 0 && fgets(line, sizeof line, file)) sscanf(line, format, &value);
    fclose(file);
    return value;
}

long bench_resident(void) { return field("Rss"); }
long bench_private(void) { return field("Private_Dirty"); }
