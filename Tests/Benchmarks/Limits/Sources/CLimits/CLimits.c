// SPDX-License-Identifier: Apache-2.0
// CLimits: see CLimits.h.
// Owner:  the main thread, but for epoll.
#define _GNU_SOURCE
#include "CLimits.h"

#include <arpa/inet.h>
#include <errno.h>
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

#define SWIFT __attribute__((swiftcall))

typedef SWIFT void cancellation_handler(__attribute__((swift_context)) void *context);
SWIFT void *swift_task_addCancellationHandler(cancellation_handler *handler, void *context);
SWIFT void swift_task_removeCancellationHandler(void *record);

SWIFT static void on_cancel(__attribute__((swift_context)) void *wait) { limits_wait_was_cancelled(wait); }

void *limits_cancellation_begin(void *wait) { return swift_task_addCancellationHandler(on_cancel, wait); }

void limits_cancellation_end(void *registration) { swift_task_removeCancellationHandler(registration); }
