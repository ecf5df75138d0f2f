// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "Work.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool option(int descriptor, int name, int *value) {
    socklen_t size = sizeof *value;
    return getsockopt(descriptor, SOL_SOCKET, name, value, &size) == 0;
}

// All bytes that were handed to the connection: those on their way once, and those that wait.
static int64_t tcp_written(int descriptor) {
    struct tcp_info information;
    memset(&information, 0, sizeof information);
    socklen_t size = sizeof information;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &information, &size) != 0 || size < sizeof information) {
        return -1;
    }
    return (int64_t)(information.tcpi_bytes_sent + information.tcpi_notsent_bytes);
}

tandem_work tandem_work_of(int descriptor, bool writes) {
    tandem_work work = {TANDEM_WORK_READINESS, 0, false};
    int type = 0;
    work.is_socket = option(descriptor, SO_TYPE, &type);
    bool is_stream = type == SOCK_STREAM || type == SOCK_SEQPACKET;
    if (writes) {
        bool is_tcp = work.is_socket && type == SOCK_STREAM && tcp_written(descriptor) >= 0;
        work.kind = is_tcp ? TANDEM_WORK_TCP_WRITTEN : TANDEM_WORK_UNSENT;
        return work;
    }
    if (!work.is_socket) {
        int bytes;
        if (ioctl(descriptor, FIONREAD, &bytes) == 0) {
            work.kind = TANDEM_WORK_UNREAD;
        }
        return work;
    }
    int value = 0;
    if (is_stream && option(descriptor, SO_ACCEPTCONN, &value) && value == 0) {
        work.kind = TANDEM_WORK_UNREAD;
    } else if (!is_stream && option(descriptor, SO_RCVBUF, &value)) {
        // FIONREAD is the next datagram's size there. No datagram takes less room than this.
        work.backlog = (uint32_t)value / 256;
    }
    return work;
}

int64_t tandem_work_done(int descriptor, tandem_work_kind kind) {
    int bytes = 0;
    struct pollfd entry = {descriptor, POLLIN, 0};
    switch (kind) {
    case TANDEM_WORK_UNREAD:
        return ioctl(descriptor, FIONREAD, &bytes) == 0 ? -(int64_t)bytes : 0;
    case TANDEM_WORK_UNSENT:
        // A socket and a terminal answer SIOCOUTQ; a pipe answers FIONREAD on its writing end, too.
        return ioctl(descriptor, SIOCOUTQ, &bytes) == 0 || ioctl(descriptor, FIONREAD, &bytes) == 0 ? bytes : 0;
    case TANDEM_WORK_TCP_WRITTEN:
        return tcp_written(descriptor);
    case TANDEM_WORK_READINESS:
        return poll(&entry, 1, 0) == 0 ? 1 : 0;
    }
    return 0;
}

// What this function has read, which counts as well.
static _Thread_local int64_t looks;

int64_t tandem_thread_bytes(bool written) {
    int file = open("/proc/thread-self/io", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    char text[256];
    ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) {
        return -1;
    }
    text[count] = 0;
    int64_t before = looks;
    looks += count;
    const char *line = strstr(text, written ? "wchar: " : "rchar: ");
    if (line == NULL) {
        return -1;
    }
    int64_t bytes = strtoll(line + 7, NULL, 10);
    return written ? bytes : bytes - before;
}
