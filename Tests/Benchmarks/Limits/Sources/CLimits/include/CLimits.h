// SPDX-License-Identifier: Apache-2.0
// CLimits: what the least programs ask of C: epoll and batches of datagrams, which Glibc's Swift module lacks, and a task's registration for its
//          cancellation, by the two functions of Swift's runtime of which `withTaskCancellationHandler` consists.
#ifndef LIMITS_H
#define LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/// Adds a descriptor to an epoll set; `events` may hold EPOLLET.
bool limits_watch(int set, int descriptor, uint32_t events, uint64_t token);

struct limits_event {
    uint64_t token;
    uint32_t events;
};
/// Waits in an epoll set for nanoseconds; -1: for ever. How many events there are.
int limits_poll(int set, struct limits_event *events, int capacity, int64_t nanoseconds);

/// Datagrams of up to 1,500 bytes, so many at once; how many came, -1 for none.
enum { limits_room = 64, limits_datagrams = 8 };
int limits_receive(int descriptor);
/// Sends the datagrams from `first` on, of 64 bytes each; how many went, -1 for none.
int limits_send(int descriptor, int first);

/// For the server (W13): what has come to the socket, at most a batch, and from which ports.
int limits_server_receive(int descriptor, uint16_t *ports);
/// Who sent one of the last batch's datagrams is a player from now on.
void limits_server_admit(int index);
/// Sends each player a snapshot of 600 bytes; how many went, -1 for none.
int limits_server_send(int descriptor, int number);

/// The calling thread.
static inline uintptr_t limits_thread_key(void) { return (uintptr_t)__builtin_thread_pointer(); }
/// A datagram socket on the loopback address, and its port; -1: there is none.
int limits_bound_socket(int *port);

/// libdispatch's, which is in no header: a descriptor that can be read when the main queue has something.
int _dispatch_get_main_queue_handle_4CF(void);

/// Registers with the task that runs; `limits_wait_was_cancelled(wait)` is called when it is cancelled.
void *limits_cancellation_begin(void *wait);
void limits_cancellation_end(void *registration);
/// Defined in Swift.
void limits_wait_was_cancelled(void *wait);

#endif
