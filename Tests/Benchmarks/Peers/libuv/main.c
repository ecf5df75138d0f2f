// SPDX-License-Identifier: Apache-2.0
// libuv + SDL2, in C. design=guest|frame|wait.

#include "guest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments) {
    options_read(count, arguments);
    static const struct {
        const char *name;
        void (*run)(void);
    } workloads[] = {
        {"wake", wake},         {"posts", posts}, {"timers", timers}, {"cancel", cancel},
        {"periodic", periodic}, {"echo", echo},   {"idle", idle},     {"idletick", idletick},
        {"game", game},         {"tasks", hop},   {"memory", memory},
        {"smallframe", smallframe}, {"start", start},
        {"burst/posts", burst_posts}, {"burst/timers", burst_timers},
    };
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(workloads[i].name, arguments[1]) != 0) continue;
        workloads[i].run();
        fflush(stdout);
        // The threads are in the middle of something; nothing is left to be said.
        _Exit(0);
    }
    not_supported("no such workload");
}
