// SPDX-License-Identifier: Apache-2.0
// Sockets: the socket calls that Glibc's Swift module lacks.
// No socket header here either: what it defines would be taken for ours, and hidden from those who import Glibc alone.
// Addresses are therefore `void *` (a sockaddr_storage), their sizes plain numbers.
#ifndef TANDEM_CLINUX_SOCKETS_H
#define TANDEM_CLINUX_SOCKETS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Each descriptor is close-on-exec and non-blocking from its first moment on.
int tandem_socket(int family, int type, int protocol);
int tandem_socketpair(int type, int *ends);
int tandem_accept(int listener, void *address, uint32_t *size);

/// Who is at the other end of a Unix socket, as the kernel knows it.
int tandem_peer_credentials(int descriptor, int *process, unsigned *user, unsigned *group);

/// Joins or leaves a multicast group of either family, on one interface (0: the kernel's choice).
int tandem_multicast(int descriptor, const void *group, unsigned interface, bool joins);

/// recvmsg for one datagram: returns its whole length, also where `size` was less.
ssize_t tandem_receive_datagram(int descriptor, void *buffer, size_t size, void *from, uint32_t *from_size,
                                bool *is_truncated);

/// The arrays that recvmmsg and sendmmsg want, with room for `count` datagrams of up to `capacity` bytes.
typedef struct tandem_batch tandem_batch;
tandem_batch *tandem_batch_create(int count, size_t capacity);
void tandem_batch_free(tandem_batch *batch);
unsigned char *tandem_batch_bytes(tandem_batch *batch, int index);
void *tandem_batch_address(tandem_batch *batch, int index);
/// Says what is to be sent: `length` bytes to the address that stands at `index`; 0 for a connected socket.
void tandem_batch_prepare(tandem_batch *batch, int index, size_t length, uint32_t address_size);
/// What is there: after a receive what has come, before a send what was prepared.
void tandem_batch_get(const tandem_batch *batch, int index, size_t *length, uint32_t *address_size, bool *is_truncated);
int tandem_batch_receive(int descriptor, tandem_batch *batch);
int tandem_batch_send(int descriptor, tandem_batch *batch, int from, int count);

#endif
