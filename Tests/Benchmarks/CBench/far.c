// SPDX-License-Identifier: Apache-2.0
// far: see far.h.
// Owner:  the parent's main thread starts and ends the process; the counters are atomic.
#define _GNU_SOURCE
#include "far.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_players = 256, largest = 2048 };

struct shared {
    _Atomic int64_t sent, received;
    atomic_int port;
    atomic_bool is_stopped;
};
static struct shared *shared;
static pid_t far_process;

static int64_t present(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// In the child 0, in the parent the process; -1 where there is none.
static pid_t start_process(void) {
    if (!shared) {
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) return -1;
    }
    pid_t parent = getpid();
    pid_t process = fork();
    if (process > 0) far_process = process;
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        // Instants are meant.
        prctl(PR_SET_TIMERSLACK, 1);
        if (getppid() != parent) _exit(0);
    }
    return process;
}

void bench_far_end(void) {
    if (far_process <= 0) return;
    kill(far_process, SIGKILL);
    while (waitpid(far_process, NULL, 0) < 0 && errno == EINTR) {
    }
    far_process = 0;
}

static int loopback_socket(struct sockaddr_in *address) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)address, length) != 0) return -1;
    if (getsockname(descriptor, (struct sockaddr *)address, &length) != 0) return -1;
    return descriptor;
}

int bench_mirror_start(void) {
    struct sockaddr_in own, from;
    int descriptor = loopback_socket(&own);
    if (descriptor < 0) return -1;
    pid_t process = start_process();
    if (process == 0) {
        char bytes[largest];
        for (;;) {
            socklen_t length = sizeof from;
            ssize_t count = recvfrom(descriptor, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &length);
            if (count >= 0) sendto(descriptor, bytes, (size_t)count, 0, (struct sockaddr *)&from, length);
        }
    }
    close(descriptor);
    return process < 0 ? -1 : ntohs(own.sin_port);
}

int bench_connected_socket(int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    close(descriptor);
    return -1;
}

// Players

static void receive_snapshots(struct pollfd *sockets, int count, int snapshot_size) {
    char bytes[largest];
    for (int i = 0; i < count; i++) {
        if (!(sockets[i].revents & POLLIN)) continue;
        ssize_t size;
        while ((size = recv(sockets[i].fd, bytes, sizeof bytes, 0)) >= 0)
            if (size == snapshot_size) atomic_fetch_add(&shared->received, 1);
    }
}

static void play(struct bench_players players) {
    static int64_t due[most_players];
    static struct pollfd sockets[most_players];
    // Until the server is there.
    while (atomic_load(&shared->port) == 0) usleep(500);
    for (int i = 0; i < players.count; i++) {
        int descriptor = bench_connected_socket(atomic_load(&shared->port));
        if (descriptor < 0 || fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0) _exit(1);
        sockets[i] = (struct pollfd){descriptor, POLLIN, 0};
    }
    char input[largest] = {1};
    int64_t period = 1000000000 / players.rate, start = present() + period;
    for (int i = 0; i < players.count; i++) due[i] = start + (players.bursts ? 0 : period * i / players.count);
    for (;;) {
        bool is_stopped = atomic_load(&shared->is_stopped);
        int64_t now = present(), next = now + period;
        for (int i = 0; i < players.count && !is_stopped; i++) {
            // Who is late sends the next one later, and not two at once.
            if (due[i] <= now) {
                if (send(sockets[i].fd, input, (size_t)players.input_size, 0) == players.input_size) atomic_fetch_add(&shared->sent, 1);
                while (due[i] <= now) due[i] += period;
            }
            if (due[i] < next) next = due[i];
        }
        int64_t left = next - present();
        struct timespec timeout = {0, left > 0 ? left % 1000000000 : 0};
        if (ppoll(sockets, (nfds_t)players.count, &timeout, NULL) > 0)
            receive_snapshots(sockets, players.count, players.snapshot_size);
    }
}

bool bench_players_start(struct bench_players players) {
    if (players.count > most_players || players.input_size > largest || players.snapshot_size > largest) return false;
    pid_t process = start_process();
    if (process == 0) play(players);
    return process > 0;
}

void bench_players_play(int port) { atomic_store(&shared->port, port); }
void bench_players_stop(void) { atomic_store(&shared->is_stopped, true); }
int64_t bench_players_sent(void) { return atomic_load(&shared->sent); }
int64_t bench_players_received(void) { return atomic_load(&shared->received); }
