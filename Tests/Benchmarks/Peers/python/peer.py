# SPDX-License-Identifier: Apache-2.0
"""Trio's guest mode and aioguest (asyncio) with SDL2. design=trio|aioguest.

Each workload is one async main function per guest, run while the host sleeps in SDL_WaitEvent or spins.
"""

import os
import resource
import socket
import sys
import threading

from host import (SECOND, Feeder, Host, Options, Xorshift, not_supported, now_ns, percentile, report, report_percentiles,
                  switches, take_wakes, write_wakes)

options = Options(sys.argv[2:])


def allow_descriptors(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + 64:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count + 64, max(hard, count + 64)))
        except (ValueError, OSError):
            not_supported("this machine does not allow so many descriptors")


class Trio:
    """What the workloads need of Trio."""

    def __init__(self, host):
        import trio

        self.trio = trio
        self.host = host
        self.token = None

    def start(self, main):
        async def with_token():
            self.token = self.trio.lowlevel.current_trio_token()
            await main(self)

        self.trio.lowlevel.start_guest_run(
            with_token, run_sync_soon_threadsafe=self.host.soon, done_callback=self.ended,
            host_uses_signal_set_wakeup_fd=True)

    def ended(self, outcome):
        outcome.unwrap()
        self.host.finish()

    async def readable(self, descriptor):
        await self.trio.lowlevel.wait_readable(descriptor)

    async def sleep_until(self, deadline):
        await self.trio.sleep_until(self.trio.current_time() + (deadline - now_ns()) / SECOND)

    async def checkpoint(self):
        await self.trio.lowlevel.checkpoint()

    def post(self, call):
        self.token.run_sync_soon(call)

    def spawn(self, function, *arguments):
        self.trio.lowlevel.spawn_system_task(function, *arguments)

    def event(self):
        return self.trio.Event()

    async def echo(self, end, arrived):
        while True:
            data = await end.recv(64)
            arrived()
            await end.send(data)

    def socket(self, plain):
        return self.trio.socket.from_stdlib_socket(plain)


class Aioguest:
    """What the workloads need of asyncio."""

    def __init__(self, host):
        import asyncio

        import aioguest

        self.asyncio = asyncio
        self.aioguest = aioguest
        self.host = host
        self.loop = None
        self.tasks = set()

    def start(self, main):
        async def with_loop():
            self.loop = self.asyncio.get_running_loop()
            await main(self)

        self.aioguest.start_guest_run(
            with_loop(), run_sync_soon_threadsafe=self.host.soon, done_callback=self.ended)

    def ended(self, outcome):
        outcome.unwrap()
        self.host.finish()

    async def readable(self, descriptor):
        future = self.loop.create_future()
        self.loop.add_reader(descriptor, lambda: future.done() or future.set_result(None))
        await future
        self.loop.remove_reader(descriptor)

    async def sleep_until(self, deadline):
        await self.asyncio.sleep((deadline - now_ns()) / SECOND)

    async def checkpoint(self):
        await self.asyncio.sleep(0)

    def post(self, call):
        self.loop.call_soon_threadsafe(call)

    def spawn(self, function, *arguments):
        # asyncio keeps no reference of its own.
        self.tasks.add(self.loop.create_task(function(*arguments)))

    def event(self):
        return self.asyncio.Event()

    async def echo(self, end, arrived):
        while True:
            data = await self.loop.sock_recv(end, 64)
            arrived()
            await self.loop.sock_sendall(end, data)

    def socket(self, plain):
        return plain


def guest_and_host():
    host = Host(options)
    design = options.text("design", "trio")
    return (Trio if design == "trio" else Aioguest)(host), host


def wake():
    count = options.number("n", 300)
    guest, host = guest_and_host()
    reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    delays = []

    async def main(guest):
        write_wakes(writing, count)
        while len(delays) < count:
            await guest.readable(reading)
            take_wakes(reading, delays)

    guest.start(main)
    host.run() if options.text("mode") == "idle" else host.spin()
    report_percentiles("", delays[count // 10:])


def posts():
    count, threads = options.number("n", 100000), options.number("threads", 1)
    guest, host = guest_and_host()
    ran, start = 0, 0

    async def main(guest):
        nonlocal start
        done = guest.event()

        def call():
            nonlocal ran
            ran += 1
            if ran == count:
                done.set()

        barrier = threading.Barrier(threads)

        def post(share):
            nonlocal start
            barrier.wait()
            start = start or now_ns()
            for _ in range(share):
                guest.post(call)

        for i in range(threads):
            threading.Thread(target=post, args=(count // threads + (i < count % threads),), daemon=True).start()
        await done.wait()
        report("per_post", "ns", (now_ns() - start) / count)

    guest.start(main)
    host.run()


def timers():
    count = options.number("n", 20000)
    guest, host = guest_and_host()
    numbers = Xorshift()
    offsets = [numbers.next() % SECOND for _ in range(count)]
    lateness = []

    async def main(guest):
        if not isinstance(guest, Aioguest):
            # A timer of Trio's is a sleeping task.
            ended = guest.event()
            epoch = now_ns()

            async def sleeper(deadline):
                await guest.sleep_until(deadline)
                lateness.append(now_ns() - deadline)
                if len(lateness) == count:
                    ended.set()

            for offset in offsets:
                guest.spawn(sleeper, epoch + offset)
            report("insert", "ns", (now_ns() - epoch) / count)
            await ended.wait()
            return
        ended = guest.event()
        epoch = now_ns()

        def rang(deadline):
            lateness.append(now_ns() - deadline)
            if len(lateness) == count:
                ended.set()

        # asyncio's clock is the monotonic one, too.
        for offset in offsets:
            guest.loop.call_at((epoch + offset) / SECOND, rang, epoch + offset)
        report("insert", "ns", (now_ns() - epoch) / count)
        await ended.wait()

    guest.start(main)
    host.run()
    report_percentiles("late_", lateness)
    report("early", "count", sum(late < 0 for late in lateness))


def cancel():
    count = options.number("n", 100000)
    if options.text("design") == "trio":
        not_supported("Trio has no timers apart from tasks")
    guest, host = guest_and_host()
    numbers = Xorshift()
    delays = [3600 + numbers.next() % SECOND / SECOND for _ in range(count)]
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        other = numbers.next() % (i + 1)
        order[i], order[other] = order[other], order[i]

    async def main(guest):
        start = now_ns()
        handles = [guest.loop.call_later(delay, print) for delay in delays]
        started = now_ns()
        for index in order:
            handles[index].cancel()
        # Cancelled timers are cleared away by the loop's next turn.
        await guest.checkpoint()
        cancelled = now_ns()
        report("start", "ns", (started - start) / count)
        report("cancel", "ns", (cancelled - started) / count)
        report("sum", "ns", (cancelled - start) / count)

    guest.start(main)
    host.run()


def periodic():
    count, period = options.number("n", 100), options.number("period_ms", 5) * 1_000_000
    guest, host = guest_and_host()
    lateness = []

    async def main(guest):
        start = now_ns()
        for i in range(1, count + 1):
            await guest.sleep_until(start + i * period)
            lateness.append(now_ns() - start - i * period)

    guest.start(main)
    host.run()
    report("drift", "ms", lateness[-1] / 1e6)
    report_percentiles("late_", lateness)


def echo():
    pairs, seconds = options.number("pairs", 100), options.decimal("seconds", 0.3)
    allow_descriptors(2 * pairs)
    guest, host = guest_and_host()
    trips = 0

    async def main(guest):
        def nothing():
            pass

        def round_trip():
            nonlocal trips
            trips += 1

        for _ in range(pairs):
            ends = socket.socketpair()
            for end, arrived in zip(ends, (round_trip, nothing)):
                end.setblocking(False)
                guest.spawn(guest.echo, guest.socket(end), arrived)
            ends[0].send(bytes(64))
        # The first fifth is warm-up.
        await guest.sleep_until(now_ns() + int(seconds * 0.2 * SECOND))
        began, before = now_ns(), trips
        await guest.sleep_until(began + int(seconds * 0.8 * SECOND))
        report("round_trips", "per_s", (trips - before) / (now_ns() - began) * SECOND)
        sys.stdout.flush()
        os._exit(0)

    guest.start(main)
    host.run()


def idle():
    import time

    seconds = options.number("seconds", 2)
    guest, host = guest_and_host()

    async def main(guest):
        start = now_ns()
        # The first second is warm-up.
        await guest.sleep_until(start + SECOND)
        before, cpu = switches(), time.process_time_ns()
        for i in range(1, seconds + 1):
            await guest.sleep_until(start + (i + 1) * SECOND)
        cpu, after = time.process_time_ns() - cpu, switches()
        report("cpu", "ms", cpu / 1e6)
        report("switches", "count", after[0] - before[0])
        report("wakeups", "count", after[1] - before[1])

    guest.start(main)
    host.run()


def game():
    sockets, clocks, seconds = 1000, 1000, options.decimal("seconds", 1)
    allow_descriptors(2 * sockets)
    plain = [socket.socketpair() for _ in range(sockets)]
    for ends in plain:
        for end in ends:
            end.setblocking(False)
    feeder = Feeder([ends[1] for ends in plain], 20000, seconds + 1.5)
    guest, host = guest_and_host()

    numbers = Xorshift()

    async def main(guest):
        async def reader(end):
            while True:
                if isinstance(guest, Trio):
                    await end.recv(4096)
                else:
                    await guest.loop.sock_recv(end, 4096)

        async def clock():
            while True:
                await guest.sleep_until(now_ns() + numbers.next() % (SECOND // 5))

        for ends in plain:
            guest.spawn(reader, guest.socket(ends[0]))
        for _ in range(clocks):
            guest.spawn(clock)
        await guest.event().wait()

    guest.start(main)
    host.play(seconds)
    sys.stdout.flush()
    feeder.wait()
    os._exit(0)


def tasks():
    count, hops, sleeps = options.number("n", 50000), options.number("hops", 200), options.number("sleeps", 100)
    guest, host = guest_and_host()

    async def main(guest):
        # A job: one switch between tasks.
        start = now_ns()
        for _ in range(count):
            await guest.checkpoint()
        report("job", "ns", (now_ns() - start) / count)

        lateness = []
        for _ in range(sleeps):
            deadline = now_ns() + 1_000_000
            await guest.sleep_until(deadline)
            lateness.append(now_ns() - deadline)
        report("sleep_resume", "us", percentile(lateness, 0.5) / 1e3)

        before = host.turns
        for _ in range(10):
            await guest.checkpoint()
        report("awaits_ticks", "count", host.turns - before)

        ended = guest.event()
        times = []

        def hop():
            answered = threading.Event()
            for _ in range(hops):
                start = now_ns()
                guest.post(answered.set)
                answered.wait()
                answered.clear()
                times.append(now_ns() - start)
            guest.post(ended.set)

        threading.Thread(target=hop, daemon=True).start()
        await ended.wait()
        report("hop", "us", percentile(times[hops // 10:], 0.5) / 1e3)

    guest.start(main)
    host.run()


workloads = {
    "wake": wake, "posts": posts, "timers": timers, "cancel": cancel, "periodic": periodic, "echo": echo, "idle": idle,
    "game": game, "tasks": tasks}

if len(sys.argv) < 2 or sys.argv[1] not in workloads:
    not_supported("no such workload")
workloads[sys.argv[1]]()
