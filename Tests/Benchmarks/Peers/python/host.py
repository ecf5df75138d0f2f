# SPDX-License-Identifier: Apache-2.0
"""The SDL host of both Python guests, and what their workloads share: options, results, the other side's threads.

A guest hands the host a function to call soon, from any thread; the host keeps it in a deque and pushes one SDL event for it,
as both guests' documentation shows.
"""

import array
import collections
import ctypes
import os
import random
import sys
import threading
import time

import sdl2

now_ns = time.monotonic_ns
SECOND = 1_000_000_000


class Options:
    def __init__(self, arguments):
        self.values = dict(argument.split("=", 1) for argument in arguments)

    def text(self, name, otherwise=""):
        return self.values.get(name, otherwise)

    def number(self, name, otherwise):
        return int(float(self.values.get(name, otherwise)))

    def decimal(self, name, otherwise):
        return float(self.values.get(name, otherwise))


def report(metric, unit, value):
    print(f"{metric} {unit} {value:.6g}")


def not_supported(reason):
    print(reason, file=sys.stderr)
    sys.exit(3)


def percentile(values, fraction):
    values = sorted(values)
    return values[min(int(fraction * len(values)), len(values) - 1)]


def report_percentiles(name, nanoseconds):
    report(f"{name}p50", "us", percentile(nanoseconds, 0.5) / 1e3)
    report(f"{name}p99", "us", percentile(nanoseconds, 0.99) / 1e3)


class Xorshift:
    """The same numbers as bench.h gives the others."""

    def __init__(self):
        self.state = 0x2545F4914F6CDD1D

    def next(self):
        x = self.state
        x ^= x << 13 & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 7
        x ^= x << 17 & 0xFFFFFFFFFFFFFFFF
        self.state = x
        return x


def switches():
    """Context switches of all threads, and the voluntary ones of the main thread."""
    total = ui = 0
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/status") as status:
            counts = [int(line.split()[1]) for line in status if "ctxt_switches" in line]
        total += sum(counts)
        if int(thread) == os.getpid():
            ui = counts[0]
    return total, ui


def write_wakes(descriptor, count):
    """Thread: timestamps of 8 bytes, 0.5 to 1.5 ms apart."""

    def write():
        numbers = Xorshift()
        next_time = now_ns() + 20_000_000
        for _ in range(count):
            next_time += 500_000 + numbers.next() % 1_000_000
            time.sleep(max(0, next_time - now_ns()) / SECOND)
            os.write(descriptor, now_ns().to_bytes(8, "little"))

    threading.Thread(target=write, daemon=True).start()


def take_wakes(descriptor, delays):
    stamps = array.array("q", os.read(descriptor, 512))
    now = now_ns()
    delays.extend(now - stamp for stamp in stamps)


class Feeder:
    """Another process that sends 64-byte messages: a thread would take the interpreter's lock from the subject."""

    def __init__(self, sockets, rate, seconds):
        # Forked before any thread starts.
        self.process = os.fork()
        if self.process:
            return
        chance = random.Random(1)
        message = bytes(64)
        next_time = now_ns()
        end = next_time + int(seconds * SECOND)
        while next_time < end:
            next_time += 1_000_000
            time.sleep(max(0, next_time - now_ns()) / SECOND)
            for _ in range(rate // 1000):
                try:
                    chance.choice(sockets).send(message)
                except BlockingIOError:
                    pass
        os._exit(0)

    def wait(self):
        os.waitpid(self.process, 0)


class Host:
    def __init__(self, options):
        self.is_done = False
        self.turns = 0
        self.calls = collections.deque()
        os.environ["SDL_NO_SIGNAL_HANDLERS"] = "1"
        if sdl2.SDL_Init(sdl2.SDL_INIT_VIDEO) != 0:
            sys.exit(sdl2.SDL_GetError().decode())
        if sdl2.SDL_GetCurrentVideoDriver().decode() != options.text("driver", "dummy"):
            sys.exit("failed: SDL has chosen another driver")
        # With a window, SDL's wait blocks where the driver can.
        self.window = sdl2.SDL_CreateWindow(b"peer", 0, 0, 320, 240, 0)
        self.event_type = sdl2.SDL_RegisterEvents(1)
        self.event = sdl2.SDL_Event()
        self.pushed = sdl2.SDL_Event()
        self.pushed.type = self.event_type

    def soon(self, call):
        """Any thread: `call` runs on the UI thread."""
        self.calls.append(call)
        while sdl2.SDL_PushEvent(ctypes.byref(self.pushed)) != 1:
            time.sleep(0.001)

    def _turn(self):
        self.turns += 1
        self.calls.popleft()()

    def finish(self):
        self.is_done = True

    def run(self):
        """Sleeps in SDL_WaitEvent between calls."""
        event = ctypes.byref(self.event)
        while not self.is_done and sdl2.SDL_WaitEvent(event):
            if self.event.type == self.event_type:
                self._turn()

    def spin(self):
        """A frame loop that never sleeps."""
        event = ctypes.byref(self.event)
        while not self.is_done:
            while sdl2.SDL_PollEvent(event):
                if self.event.type == self.event_type:
                    self._turn()

    def play(self, seconds):
        """240 frames a second. Reports what the workload `game` reports."""
        period = SECOND // 240
        frames = int(seconds * 240)
        warm = frames // 10
        lateness = []
        work = overruns = cpu = 0
        event = ctypes.byref(self.event)
        # To start two thousand tasks takes longer than frames.
        settled = now_ns() + SECOND
        while now_ns() < settled:
            while now_ns() < settled and sdl2.SDL_PollEvent(event):
                if self.event.type == self.event_type:
                    self._turn()
            time.sleep(0.001)
        start = began = now_ns() + period
        for number in range(frames):
            left = start + number * period - now_ns()
            if left > 0:
                time.sleep(left / SECOND)
            now = now_ns()
            if number == warm:
                began, cpu = now, time.process_time_ns()
            begun = now_ns()
            while sdl2.SDL_PollEvent(event):
                if self.event.type == self.event_type:
                    self._turn()
                    # Else a guest that always has something would never let the frame end.
                    if now_ns() - begun > period:
                        break
            took = now_ns() - begun
            if number < warm:
                continue
            lateness.append(now - start - number * period)
            work += took
            overruns += took > period
        cpu = time.process_time_ns() - cpu
        report("work_per_frame", "us", work / len(lateness) / 1e3)
        report_percentiles("late_", lateness)
        report("cpu", "percent", 100 * cpu / (now_ns() - began))
        report("overruns", "count", overruns)
