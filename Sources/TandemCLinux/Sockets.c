// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "Sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int tandem_socket(int family, int type, int protocol) {
    return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

int tandem_socketpair(int type, int *ends) {
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

int tandem_accept(int listener, void *address, uint32_t *size) {
    return accept4(listener, address, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int tandem_peer_credentials(int descriptor, int *process, unsigned *user, unsigned *group) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return -1;
    }
    *process = credentials.pid;
    *user = credentials.uid;
    *group = credentials.gid;
    return 0;
}

int tandem_multicast(int descriptor, const void *group, unsigned interface, bool joins) {
    struct group_req request;
    memset(&request, 0, sizeof request);
    request.gr_interface = interface;
    bool is6 = ((const struct sockaddr *)group)->sa_family == AF_INET6;
    memcpy(&request.gr_group, group, is6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    return setsockopt(descriptor, is6 ? IPPROTO_IPV6 : IPPROTO_IP, joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request,
                      sizeof request);
}

ssize_t tandem_receive_datagram(int descriptor, void *buffer, size_t size, void *from, uint32_t *from_size,
                                bool *is_truncated) {
    struct iovec vector = {buffer, size};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_name = from;
    message.msg_namelen = sizeof(struct sockaddr_storage);
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    // MSG_TRUNC as a flag of the call returns the datagram's whole length, however much of it fits.
    ssize_t count = recvmsg(descriptor, &message, MSG_TRUNC);
    if (count >= 0) {
        *from_size = message.msg_namelen;
        *is_truncated = (message.msg_flags & MSG_TRUNC) != 0;
    }
    return count;
}

// One allocation for everything that a batch needs, so that its messages never allocate.
struct tandem_batch {
    int count;
    size_t capacity;
    // The entries from here on are prepared to be received into; those before were used since.
    int ready_from;
    struct mmsghdr *headers;
    struct iovec *vectors;
    struct sockaddr_storage *addresses;
    unsigned char *bytes;
};

tandem_batch *tandem_batch_create(int count, size_t capacity) {
    tandem_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->count = count;
    batch->capacity = capacity;
    batch->ready_from = count;
    batch->headers = calloc((size_t)count, sizeof *batch->headers);
    batch->vectors = calloc((size_t)count, sizeof *batch->vectors);
    batch->addresses = calloc((size_t)count, sizeof *batch->addresses);
    batch->bytes = calloc((size_t)count, capacity);
    if (!batch->headers || !batch->vectors || !batch->addresses || !batch->bytes) {
        tandem_batch_free(batch);
        return NULL;
    }
    for (int index = 0; index < count; index++) {
        batch->vectors[index].iov_base = batch->bytes + (size_t)index * capacity;
        batch->headers[index].msg_hdr.msg_iov = &batch->vectors[index];
        batch->headers[index].msg_hdr.msg_iovlen = 1;
    }
    return batch;
}

void tandem_batch_free(tandem_batch *batch) {
    free(batch->headers);
    free(batch->vectors);
    free(batch->addresses);
    free(batch->bytes);
    free(batch);
}

unsigned char *tandem_batch_bytes(tandem_batch *batch, int index) { return batch->vectors[index].iov_base; }

void *tandem_batch_address(tandem_batch *batch, int index) { return &batch->addresses[index]; }

void tandem_batch_prepare(tandem_batch *batch, int index, size_t length, uint32_t address_size) {
    batch->vectors[index].iov_len = length;
    batch->headers[index].msg_hdr.msg_name = address_size > 0 ? &batch->addresses[index] : NULL;
    batch->headers[index].msg_hdr.msg_namelen = address_size;
    batch->headers[index].msg_hdr.msg_flags = 0;
    if (index >= batch->ready_from) {
        batch->ready_from = index + 1;
    }
}

void tandem_batch_get(const tandem_batch *batch, int index, size_t *length, uint32_t *address_size, bool *is_truncated) {
    *length = batch->vectors[index].iov_len;
    *address_size = batch->headers[index].msg_hdr.msg_namelen;
    *is_truncated = (batch->headers[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

int tandem_batch_receive(int descriptor, tandem_batch *batch) {
    for (int index = 0; index < batch->ready_from; index++) {
        tandem_batch_prepare(batch, index, batch->capacity, sizeof(struct sockaddr_storage));
    }
    int count = recvmmsg(descriptor, batch->headers, (unsigned)batch->count, 0, NULL);
    for (int index = 0; index < count; index++) {
        batch->vectors[index].iov_len = batch->headers[index].msg_len;
    }
    batch->ready_from = count > 0 ? count : 1;
    return count;
}

int tandem_batch_send(int descriptor, tandem_batch *batch, int from, int count) {
    return sendmmsg(descriptor, batch->headers + from, (unsigned)count, MSG_NOSIGNAL);
}
