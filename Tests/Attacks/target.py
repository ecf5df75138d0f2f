# SPDX-License-Identifier: Apache-2.0
"""A program under attack, and what it costs: processor time, memory, descriptors, frames."""

import atexit
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time


def wait_until(condition, limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


class Target:
    def __init__(self, path, *arguments, descriptors=None, ipv6=False, piped=False):
        """With `piped`, its output can be shut off; otherwise it goes to a file, for which it never waits."""
        self.name = os.path.basename(path)
        self.host = "::1" if ipv6 else "127.0.0.1"
        limit = f"ulimit -n {descriptors}; " if descriptors else ""
        self.file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["bash", "-c", limit + 'exec "$0" "$@"', path, *arguments], stdout=subprocess.PIPE if piped else self.file,
            stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, env=dict(os.environ, SDL_VIDEODRIVER="dummy"), bufsize=0)
        # Whatever becomes of the attack.
        atexit.register(self.process.kill)

    @property
    def output(self):
        """What it has said so far."""
        if self.process.stdout:
            os.set_blocking(self.process.stdout.fileno(), False)
            self.file.write(self.process.stdout.read() or b"")
        self.file.flush()
        return os.pread(self.file.fileno(), 1 << 30, 0)

    # Where it listens

    def port(self, pattern):
        """The port that its output tells."""
        found = []
        wait_until(lambda: found.extend(re.findall(pattern, self.output.decode(errors="replace"))) or found, 30)
        if not found:
            raise RuntimeError(f"{self.name} did not say where it listens: {self.output!r}")
        return int(found[0])

    def _port_in(self, table, field, value):
        folder = f"/proc/{self.process.pid}/fd"
        with contextlib.suppress(OSError):
            inodes = {os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}
            for line in open(f"/proc/net/{table}").readlines()[1:]:
                fields = line.split()
                if f"socket:[{fields[9]}]" in inodes and fields[field].endswith(value):
                    return int(fields[1].split(":")[1], 16)
        return None

    def _wait_for_port(self, *what):
        found = []
        if not wait_until(lambda: found.append(self._port_in(*what)) or found[-1], 30):
            raise RuntimeError(f"{self.name} does not listen")
        return found[-1]

    def udp_port(self):
        """The port of a server that says nothing: the one whose socket is not connected."""
        return self._wait_for_port("udp", 2, ":0000")

    def tcp_port(self):
        """The port of a server whose output may still be in its buffer: of the socket that listens."""
        return self._wait_for_port("tcp", 3, "0A")

    def connect(self, port, timeout=10):
        return socket.create_connection((self.host, port), timeout)

    # What it costs

    def is_alive(self):
        return self.process.poll() is None

    def descriptors(self):
        with contextlib.suppress(OSError):
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        return 0

    def memory(self):
        """Megabytes that are resident."""
        with contextlib.suppress(OSError, TypeError):
            return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read())[1]) / 1024
        return 0

    def processor_time(self):
        """Seconds, of all its threads."""
        with contextlib.suppress(OSError):
            fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return 0

    def end(self):
        """By SIGTERM; returns how it ended."""
        if not self.is_alive():
            return self.process.returncode
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Frames:
    """Asks AttackTarget for its longest frame and its longest tick since the last question, in milliseconds."""

    def __init__(self, target):
        self.file = target.connect(target.port(r"control (\d+)")).makefile("rw", newline="\n")

    def measure(self):
        self.file.write("frames\n")
        self.file.flush()
        return tuple(float(word) for word in self.file.readline().split())

    @staticmethod
    def tell(attacked, rest):
        return f"frame {attacked[0]:.0f} ms ({rest[0]:.0f}), tick {attacked[1]:.1f} ms ({rest[1]:.1f})"

    @staticmethod
    def is_bad(attacked, rest, is_short):
        # The budget of a tick is 4 ms. What a frame is late beyond that is the machine's, which also has the attackers to run.
        return attacked[1] > (40 if is_short else 12)


class FrameRate:
    """Frames a second since the last question, from the number that a game's state tells."""

    def __init__(self, target, port, key):
        self.target, self.port, self.key = target, port, key
        self.last = self._now()

    def _now(self):
        # Whoever has attacked a moment ago may hold every connection for some seconds more.
        state = []
        wait_until(lambda: state.extend(body for status, body in [request(self.target, self.port)] if status == 200) or state, 60)
        return time.monotonic(), json.loads(state[0])[self.key] if state else 0

    def measure(self):
        (then, before), self.last = self.last, self._now()
        return (self.last[1] - before) / (self.last[0] - then)

    @staticmethod
    def tell(attacked, rest):
        return f"{attacked:.1f} frames/s ({rest:.1f})"

    @staticmethod
    def is_bad(attacked, rest, is_short):
        # In a second on a busy machine a few frames are all that can be asked for.
        return attacked < (1 if is_short else rest / 2)


def request(target, port, path="/state", method="GET", host=None, fields="", body=b"", timeout=10):
    """The status number and the body of what is answered; 0 and nothing if there is no answer."""
    try:
        with target.connect(port, timeout) as peer:
            head = f"{method} {path} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\nConnection: close\r\n{fields}"
            peer.sendall((head + (f"Content-Length: {len(body)}\r\n" if body else "") + "\r\n").encode() + body)
            answer = b""
            with contextlib.suppress(OSError):
                while data := peer.recv(65536):
                    answer += data
            return int(answer.split()[1]), answer.partition(b"\r\n\r\n")[2]
    except (OSError, IndexError, ValueError):
        return 0, b""
