# SPDX-License-Identifier: Apache-2.0
"""Example 17, Skirmish's dedicated server, under attack while eight bots play: its page, and its port for players by TCP and UDP."""

import contextlib
import itertools
import json
import random
import re
import socket
import struct
import threading
import time

import peers
from target import Target, request

VERSION = 1


class Onlooker:
    """Watches the live page all the time: the match's steps a second, and the longest time without a view, since the last question."""

    def __init__(self, target, page):
        self.lock = threading.Lock()
        self.steps, self.last_step, self.last_view, self.longest = 0, None, time.monotonic(), 0
        self.begin = time.monotonic()
        peer = target.connect(page)
        peer.settimeout(60)
        peer.sendall(f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{page}\r\n\r\n".encode())
        threading.Thread(target=self._watch, args=[peer], daemon=True).start()

    def _watch(self, peer):
        with contextlib.suppress(OSError), peer.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"data: "):
                    self._take(json.loads(line[6:])["step"])

    def _take(self, step):
        now = time.monotonic()
        with self.lock:
            # The next match begins anew.
            self.steps += step - self.last_step if self.last_step is not None and step >= self.last_step else 0
            self.longest = max(self.longest, now - self.last_view)
            self.last_step, self.last_view = step, now

    def measure(self):
        now = time.monotonic()
        with self.lock:
            found = self.steps / (now - self.begin), max(self.longest, now - self.last_view)
            self.steps, self.longest, self.begin = 0, 0, now
        return found

    @staticmethod
    def tell(attacked, rest):
        return f"{attacked[0]:.1f} steps/s ({rest[0]:.1f}), a view at most {attacked[1] * 1000:.0f} ms after another ({rest[1] * 1000:.0f})"

    @staticmethod
    def is_bad(attacked, rest, is_short):
        # In a second on a busy machine a few steps are all that can be asked for, and views that come again.
        return attacked[0] < (1 if is_short else rest[0] / 2) or attacked[1] > 8


# Players' messages, as far as attackers and a modest player need them.


def message(content):
    return struct.pack(">H", len(content)) + content


def hello(version=VERSION, name=b"Ann", code=b""):
    return message(b"\x01SKIRMISH" + struct.pack(">H", version) + bytes([len(name)]) + name + bytes([len(code)]) + code)


hosts = itertools.cycle(f"127.0.2.{number}" for number in range(1, 201))


def ask_for_version(target, port):
    """A modest player of another version, each time from another address: how long it waits until it is told so."""
    begin = time.monotonic()
    with socket.create_connection((target.host, port), 10, source_address=(next(hosts), 0)) as peer:
        peer.sendall(hello(version=7))
        answer = b""
        while len(answer) < 6:
            data = peer.recv(100)
            if not data:
                return float("inf")
            answer += data
    return (time.monotonic() - begin) * 1000 if answer == message(b"\x02\x01" + struct.pack(">H", VERSION)) else float("inf")


# Attackers


def spectators_that_never_read(target, port):
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            peer = stack.enter_context(socket.socket())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect((target.host, port))
            peer.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(peers.seconds)


def guesses_of_the_code(target, port):
    with target.connect(port) as peer:
        peer.sendall(hello(code=b"%d" % random.randrange(1 << 60)))
        peer.settimeout(1)
        peer.recv(100)


def players_that_say_anything(target, port):
    """Each of the kinds of messages, with a content by chance, as the first or after a hello."""
    with target.connect(port) as peer:
        peer.settimeout(1)
        if random.random() < 0.5:
            peer.sendall(hello(name=b"P%d" % random.randrange(1000)))
        for _ in range(20):
            peer.sendall(message(bytes([random.randrange(6)]) + random.randbytes(random.randrange(60))))
        peer.recv(100)


def datagrams_by_the_50_000(target, port):
    """Noise, what looks like the game's own, and nothing, 50,000 a second."""
    pieces = [random.randbytes(random.randrange(4, 300)) for _ in range(100)]
    pieces += [b"SK\x01" + bytes([random.randrange(10)]) + random.randbytes(random.randrange(200)) for _ in range(100)]
    pieces += [b"", random.randbytes(1400)] * 50
    begin, sent = time.monotonic(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.connect((target.host, port))
        while (now := time.monotonic() - begin) < peers.seconds:
            for _ in range(max(0, min(500, int(now * 50_000) - sent))):
                with contextlib.suppress(OSError):
                    peer.send(pieces[sent % len(pieces)])
                sent += 1
            time.sleep(0.001)


# Checks


def answer(target, port, text):
    with target.connect(port) as peer:
        peer.sendall(text.encode())
        peer.settimeout(3)
        found = b""
        with contextlib.suppress(OSError):
            while data := peer.recv(65536):
                found += data
        return found.decode(errors="replace")


def strangers(target, page, port, fail):
    """The page is for everybody and changes nothing. What a page of elsewhere may not do is read it; what nobody may do is anything else."""
    for fields in ["Host: evil.example", f"Host: 127.0.0.1:{page}\r\nOrigin: http://evil.example", f"Host: 127.0.0.1:{page}\r\nOrigin: null"]:
        for path in ["/", "/scores.json"]:
            found = answer(target, page, f"GET {path} HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n")
            head = found.partition("\r\n\r\n")[0].lower()
            if not found.startswith("HTTP/1.1 200") or "access-control" in head or "script-src 'self'" not in head:
                fail(f"{path} with {fields!r} was answered with {head!r}")
    for line in ["POST / HTTP/1.1", "PUT /scores.json HTTP/1.1", "DELETE / HTTP/1.1", "GET /../../etc/passwd HTTP/1.1", "GET /metrics HTTP/1.1"]:
        found = answer(target, page, f"{line}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        if not re.match(r"HTTP/1.1 4\d\d", found):
            fail(f"{line} was answered with {found[:100]!r}")
    # The rest of a body that nobody reads is no request.
    for length in ["Transfer-Encoding: chunked", "Content-Length: 3000000"]:
        found = answer(target, page, f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}\r\n\r\nGET /scores.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        if '"phase"' in found:
            fail(f"a body with {length} was answered as a request")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(0.5)
        for kind in range(10):
            peer.sendto(b"SK\x01" + bytes([kind]) + random.randbytes(28), (target.host, port))
        with contextlib.suppress(socket.timeout):
            fail(f"a stranger's datagrams were answered with {peer.recv(2000)!r}")


def run(program, attack, fail):
    print("- 17-game-server, while eight bots play", flush=True)
    target = Target(program, "--port", "0", "--bots", "8", "--exhibition", "--drain-seconds", "0")
    port = target.port(r"hosting on 127\.0\.0\.1:(\d+)")
    page = target.port(r"page on http://127\.0\.0\.1:(\d+)/")
    frames = Onlooker(target, page)

    def ask_for_scores():
        begin = time.monotonic()
        return (time.monotonic() - begin) * 1000 if request(target, page, "/scores.json")[0] == 200 else float("inf")

    for peer, threads in [
        (peers.head_without_end, 4), (peers.body_without_end, 4), (peers.chunks_without_end, 2), (peers.slow_head, 20), (peers.silent, 2),
        (peers.resetting, 4), (peers.garbage, 4), (peers.live_view_that_is_never_read, 20), (spectators_that_never_read, 2),
    ]:
        attack(target, peer, page, threads, ask_for_scores, frames, memory=100)
    for peer, threads in [
        (guesses_of_the_code, 4), (players_that_say_anything, 4), (peers.a_line_without_end, 4), (peers.huge_claims, 4), (peers.slow_bytes, 20),
        (peers.silent, 2), (peers.resetting, 4), (peers.garbage, 4), (datagrams_by_the_50_000, 1),
    ]:
        attack(target, peer, port, threads, lambda: ask_for_version(target, port), frames, memory=60)
    strangers(target, page, port, fail)
    if target.end() != 0:
        fail(f"17-game-server ended with {target.process.returncode}")
