// SPDX-License-Identifier: Apache-2.0
// Work: what the kernel tells of the work that a handler does on a descriptor; see UnattendedReadiness.swift.
#ifndef TANDEM_CLINUX_WORK_H
#define TANDEM_CLINUX_WORK_H

#include <stdbool.h>
#include <stdint.h>

/// What there is to look at.
typedef enum {
    /// A pipe, a stream, a terminal, inotify: bytes that wait to be read. They fall with each read, and rise by the peer.
    TANDEM_WORK_UNREAD,
    /// Bytes that were written and not taken. They rise with each write, and fall by the peer.
    TANDEM_WORK_UNSENT,
    /// A TCP connection: all bytes that were ever written.
    TANDEM_WORK_TCP_WRITTEN,
    /// Only whether the descriptor can still be read.
    TANDEM_WORK_READINESS,
} tandem_work_kind;

typedef struct {
    tandem_work_kind kind;
    /// As many reads of one item each can follow each other without the descriptor running dry, if nothing new comes. 0: not known.
    uint32_t backlog;
    bool is_socket;
} tandem_work;

tandem_work tandem_work_of(int descriptor, bool writes);

/// A number that is larger after a handler that has worked, unless the peer has made up for it.
int64_t tandem_work_done(int descriptor, tandem_work_kind kind);

/// How many bytes this thread has read or written so far by read and write, whatever the file; -1 where the kernel does not count.
int64_t tandem_thread_bytes(bool written);

#endif
