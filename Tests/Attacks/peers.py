# SPDX-License-Identifier: Apache-2.0
"""Hostile peers. Each is called again and again until its time is over, by several threads, with connections of its own for each call.

What happens to an attacker is no news: they may raise OSError."""

import base64
import contextlib
import os
import random
import socket
import struct
import time


def family(target):
    return socket.AF_INET6 if ":" in target.host else socket.AF_INET


def reset_on_close(peer):
    """What it has sent and nobody has read goes with it; otherwise some megabytes are read to their end, however long that takes."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# How long one that sends on and on does so.
seconds = 1


def send_on(peer, piece):
    reset_on_close(peer)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        peer.settimeout(max(0.01, end - time.monotonic()))
        peer.send(piece)


def greedy_newlines(target, port):
    with target.connect(port) as peer:
        send_on(peer, b"\n" * 65536)


def greedy_pings_that_are_never_read(target, port):
    with target.connect(port) as peer:
        send_on(peer, b"ping\n" * 10000)


def a_line_without_end(target, port):
    with target.connect(port) as peer:
        peer.settimeout(1)
        for _ in range(100):
            peer.send(b"x" * 65536)


def huge_claims(target, port):
    with target.connect(port) as peer:
        peer.sendall(struct.pack(">Q", random.choice([1 << 40, (1 << 63) - 1, (1 << 64) - 1, 1 << 20])) + b"x" * 1000)
        peer.settimeout(0.5)
        peer.recv(100)


def slow_bytes(target, port):
    with target.connect(port) as peer:
        for byte in struct.pack(">Q", 60000) + b"slowly":
            peer.send(bytes([byte]))
            time.sleep(0.02)


def silent(target, port):
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(target.connect(port))
        time.sleep(0.3)


def resetting(target, port):
    for _ in range(50):
        with target.connect(port) as peer:
            peer.send(b"ping\n" * 10)
            reset_on_close(peer)


def half_closing(target, port):
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            peer = stack.enter_context(target.connect(port))
            peer.sendall(b"ping\n" * 100)
            peer.shutdown(socket.SHUT_WR)
        time.sleep(0.1)


def garbage(target, port):
    for _ in range(10):
        with target.connect(port) as peer:
            peer.send(random.randbytes(random.randrange(1, 20000)))


def datagram_flood(target, port):
    with socket.socket(family(target), socket.SOCK_DGRAM) as peer:
        for _ in range(2000):
            # Sent, and never read: the answers are lost.
            with contextlib.suppress(OSError):
                peer.sendto(random.choice([b"", b"x", b"x" * 1400, b"x" * 60000]), (target.host, port))


def from_port_zero(target, port):
    """A datagram that cannot be answered. Only a superuser can send it."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as peer:
        for _ in range(20):
            peer.sendto(struct.pack(">HHHH", 0, port, 12, 0) + b"zero", (target.host, 0))


# HTTP


def without_end(target, port, head, piece=b"x" * 65536):
    with target.connect(port) as peer:
        peer.settimeout(2)
        peer.send(head)
        for _ in range(200):
            peer.send(piece)


def head_without_end(target, port):
    without_end(target, port, b"GET /state HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")


def lines_without_end(target, port):
    without_end(target, port, b"GET /state HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X-Many: lines\r\n" * 4000)


def longest_heads(target, port):
    """Requests as long as example 11 allows, of lines as long as it allows."""
    head = f"GET /state HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n" + "".join(f"X-Long: {'x' * 1000}\r\n" for _ in range(7)) + "\r\n"
    with target.connect(port) as peer:
        peer.sendall(head.encode())
        peer.recv(100)


def body_without_end(target, port):
    without_end(target, port, b"POST /cheer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000000000\r\n\r\n")


def chunks_without_end(target, port):
    without_end(target, port, b"POST /push HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"10000\r\n" + b"x" * 65536 + b"\r\n")


def slow_head(target, port):
    with target.connect(port) as peer:
        for byte in b"GET /state HTTP/1.1\r\nX-Slow: ":
            peer.send(bytes([byte]))
            time.sleep(0.02)


def huge_order(target, port):
    body = b'{"x": 1, "fires": true, "more": "' + b"x" * 32_000_000 + b'"}'
    with target.connect(port) as peer:
        peer.settimeout(2)
        peer.sendall(f"POST /order HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        peer.recv(100)


def live_view_that_is_never_read(target, port):
    with target.connect(port) as peer:
        peer.sendall(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        time.sleep(0.5)


def websocket(target, port):
    peer = target.connect(port)
    key = base64.b64encode(os.urandom(16)).decode()
    peer.sendall(
        f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    return peer


def pings_that_are_never_read(target, port):
    with websocket(target, port) as peer:
        send_on(peer, (b"\x89\x84" + b"mask" + b"ping") * 5000)


def a_frame_without_end(target, port):
    with websocket(target, port) as peer:
        peer.sendall(b"\x81\xff" + struct.pack(">Q", 1 << 40) + b"mask")
        peer.settimeout(1)
        for _ in range(200):
            peer.send(b"x" * 65536)
            # Reads what it is sent, as an honest onlooker does.
            peer.recv(65536)


def empty_frames(target, port):
    with websocket(target, port) as peer:
        send_on(peer, (b"\x81\x80" + b"mask") * 5000)
