// SPDX-License-Identifier: Apache-2.0
// CLimits: see CLimits.h.
// Owner:  the main thread, but for epoll.
#define _GNU_SOURCE
#include "CLimits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

bool limits_watch(int set, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

int limits_poll(int set, struct limits_event *events, int capacity, int64_t nanoseconds) {
    struct epoll_event found[64];
    struct timespec timeout = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    int room = capacity < 64 ? capacity : 64;
    int count = epoll_pwait2(set, found, room, nanoseconds < 0 ? 0 : &timeout, 0);
    // valgrind does not know the call.
    if (count < 0 && errno == ENOSYS) count = epoll_wait(set, found, room, nanoseconds < 0 ? -1 : (int)((nanoseconds + 999999) / 1000000));
    for (int i = 0; i < count; i++) events[i] = (struct limits_event){found[i].data.u64, found[i].events};
    return count;
}

int limits_bound_socket(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, length) != 0) return -1;
    if (getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) return -1;
    *port = ntohs(address.sin_port);
    return descriptor;
}

static char bytes[limits_room][1500], datagram[64] = {1};
static struct iovec in[limits_room], out = {datagram, sizeof datagram};
static struct mmsghdr incoming[limits_room], outgoing[limits_datagrams];

__attribute__((constructor)) static void prepare(void) {
    for (int i = 0; i < limits_room; i++) {
        in[i] = (struct iovec){bytes[i], sizeof bytes[i]};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    for (int i = 0; i < limits_datagrams; i++) outgoing[i].msg_hdr = (struct msghdr){.msg_iov = &out, .msg_iovlen = 1};
}

int limits_receive(int descriptor) { return recvmmsg(descriptor, incoming, limits_room, MSG_DONTWAIT, 0); }

int limits_send(int descriptor, int first) {
    return sendmmsg(descriptor, outgoing + first, (unsigned)(limits_datagrams - first), MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum { most_players = 64, snapshot_size = 600 };
static struct sockaddr_in senders[limits_room], players[most_players];
static char snapshots[most_players][snapshot_size];
static struct iovec snapshot_parts[most_players];
static struct mmsghdr snapshot_messages[most_players];
static int player_count;

int limits_server_receive(int descriptor, uint16_t *ports) {
    for (int i = 0; i < limits_room; i++) {
        incoming[i].msg_hdr.msg_name = &senders[i];
        incoming[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
    int count = limits_receive(descriptor);
    for (int i = 0; i < count; i++) ports[i] = ntohs(senders[i].sin_port);
    return count;
}

void limits_server_admit(int index) {
    if (player_count == most_players) return;
    int number = player_count++;
    players[number] = senders[index];
    snapshot_parts[number] = (struct iovec){snapshots[number], snapshot_size};
    snapshot_messages[number].msg_hdr = (struct msghdr){
        .msg_iov = &snapshot_parts[number], .msg_iovlen = 1, .msg_name = &players[number], .msg_namelen = sizeof players[number]};
}

int limits_server_send(int descriptor, int number) {
    for (int i = 0; i < player_count; i++) memset(snapshots[i], number, snapshot_size);
    return player_count == 0 ? 0 : sendmmsg(descriptor, snapshot_messages, (unsigned)player_count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

#define SWIFT __attribute__((swiftcall))

typedef SWIFT void cancellation_handler(__attribute__((swift_context)) void *context);
SWIFT void *swift_task_addCancellationHandler(cancellation_handler *handler, void *context);
SWIFT void swift_task_removeCancellationHandler(void *record);

SWIFT static void on_cancel(__attribute__((swift_context)) void *wait) { limits_wait_was_cancelled(wait); }

void *limits_cancellation_begin(void *wait) { return swift_task_addCancellationHandler(on_cancel, wait); }

void limits_cancellation_end(void *registration) { swift_task_removeCancellationHandler(registration); }
