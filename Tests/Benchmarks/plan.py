# SPDX-License-Identifier: Apache-2.0
"""What is measured: the subjects, the work with its sizes, and where Tandem wants to be.

`run` carries this out; nothing here runs anything.
"""

import dataclasses

TANDEM = [".build/release/TandemBench"]
LIBUV = [".build/bench/libuv-peer"]
ASIO = [".build/bench/asio-peer"]
RAW = [".build/bench/raw-peer"]
PYTHON = [".build/bench/python/bin/python", "Tests/Benchmarks/Peers/python/peer.py"]


@dataclasses.dataclass(frozen=True)
class Subject:
    command: list
    options: dict = dataclasses.field(default_factory=dict)
    # TandemBench offers its baseline under other workload names.
    prefix: str = ""


SUBJECTS = {
    "tandem": Subject(TANDEM),
    "tandem-foreign": Subject(TANDEM, {"owned": "no"}),
    "tandem-frameloop": Subject(TANDEM, {"frames": "frameloop"}),
    "tandem-handlers": Subject(TANDEM, {"with": "handlers"}),
    "libuv-guest": Subject(LIBUV, {"design": "guest"}),
    "libuv-frame": Subject(LIBUV, {"design": "frame"}),
    "libuv-streams": Subject(LIBUV, {"design": "guest", "impl": "streams"}),
    "libuv-poll": Subject(LIBUV, {"design": "guest", "impl": "poll"}),
    "asio-frame": Subject(ASIO, {"design": "frame"}),
    "asio-thread": Subject(ASIO, {"design": "thread"}),
    "trio-guest": Subject(PYTHON, {"design": "trio"}),
    "aioguest": Subject(PYTHON, {"design": "aioguest"}),
    "dispatch": Subject(TANDEM, prefix="dispatch/"),
    "raw": Subject(RAW),
    "raw-wheel": Subject(RAW, {"impl": "wheel"}),
    "raw-guest-1": Subject(RAW, {"impl": "guest", "polls": 1}),
    "raw-guest-64": Subject(RAW, {"impl": "guest", "polls": 64}),
    "raw-guest-asks": Subject(RAW, {"impl": "guest", "polls": 64, "asks": 1}),
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One piece of work, for several subjects."""

    name: str
    workload: str
    driver: str
    subjects: tuple
    options: dict
    quick: dict
    # What ratios refer to.
    reference: str = "libuv-guest"
    # Sizes for subjects that would need minutes; only where the metric is per item.
    smaller: dict = dataclasses.field(default_factory=dict)
    # Cases of one group sleep nearly all the time, and run side by side.
    group: str = ""
    repetitions: int = 0


GUESTS = ("tandem", "libuv-guest", "asio-thread", "trio-guest", "aioguest", "raw")
ECHO = ("tandem", "tandem-foreign", "libuv-poll", "libuv-streams", "asio-thread", "trio-guest", "raw", "raw-guest-1", "raw-guest-64",
        "raw-guest-asks")
SLOW = ("trio-guest", "aioguest")


def cases():
    yield from (
        Case("wake/idle", "wake", driver, GUESTS, {"mode": "idle", "n": 750}, {"n": 100})
        for driver in ("x11", "dummy"))
    yield Case(
        "wake/spin", "wake", "dummy", ("tandem", "libuv-guest", "libuv-frame", "asio-frame", *SLOW, "raw"),
        {"mode": "spin", "n": 750}, {"n": 100})
    yield from (
        Case(f"posts/{threads}", "posts", "dummy",
             ("tandem", "libuv-guest", "libuv-frame", "asio-frame", *SLOW, "raw"),
             {"threads": threads, "n": 1000000}, {"n": 100000},
             smaller={subject: {"n": 50000} for subject in SLOW})
        for threads in (1, 4))
    yield Case(
        "timers/100000", "timers", "x11", ("tandem", "libuv-guest", "asio-frame", *SLOW, "raw"),
        {"n": 100000}, {"n": 20000})
    yield Case("timers/100000", "timers", "dummy", ("tandem", "libuv-guest", "raw"), {"n": 100000}, {"n": 20000})
    yield Case(
        "timers/1000000", "timers", "x11", ("tandem", "libuv-guest", "asio-frame", "raw"), {"n": 1000000}, {"n": 50000})
    yield Case(
        "cancel", "cancel", "dummy", ("tandem", "libuv-guest", "asio-frame", "aioguest", "raw", "raw-wheel"),
        {"n": 1000000}, {"n": 100000}, smaller={"aioguest": {"n": 100000}})
    yield Case(
        "periodic", "periodic", "x11", ("tandem", "libuv-guest", "asio-thread", "raw"),
        {"n": 1000, "period_ms": 5}, {"n": 100})
    yield Case(
        "periodic", "periodic", "dummy", ("tandem", "libuv-guest"), {"n": 500, "period_ms": 5}, {"n": 100})
    yield from (
        Case(f"echo/{pairs}", "echo", "x11", ECHO, {"pairs": pairs, "seconds": 1}, {},
             reference="libuv-poll")
        for pairs in (100, 1000))
    yield Case("echo/100", "echo", "dummy", ("tandem", "tandem-foreign", "libuv-poll", "libuv-streams", "asio-thread"),
        {"pairs": 100, "seconds": 1}, {}, reference="libuv-poll")
    yield from (
        Case("idle", "idle", driver, ("tandem", "libuv-guest", "asio-thread", *SLOW, "raw"),
             {"seconds": 10}, {"seconds": 2}, group="idle")
        for driver in ("x11", "dummy"))
    yield from (
        Case(f"idletick/{fds}", "idletick", "dummy", ("tandem", "libuv-frame", "asio-frame", "raw"),
             {"fds": fds, "n": 2000000}, {"n": 200000}, reference="libuv-frame")
        for fds in (1, 1000))
    yield Case(
        "game", "game", "dummy", ("tandem", "tandem-frameloop", "tandem-foreign", "libuv-guest", "libuv-frame", "asio-frame", *SLOW, "raw"),
        {"seconds": 2}, {"seconds": 1})
    yield Case(
        "smallframe", "smallframe", "dummy", ("tandem", "tandem-handlers", "tandem-frameloop", "raw"),
        {"seconds": 2}, {"seconds": 1}, reference="raw")
    yield Case(
        "tasks", "tasks", "x11", ("tandem", "dispatch", "libuv-guest", *SLOW), {"n": 500000}, {"n": 50000},
        reference="dispatch", smaller={subject: {"n": 50000} for subject in SLOW})
    yield Case("memory", "memory", "dummy", ("tandem", "libuv-guest"), {}, {})


def growth(descriptors):
    """The same work at sizes a hundred times apart; with sockets as far as the machine allows so many `descriptors`."""
    for size in (10, 1000, 100000):
        yield Case(f"growth/posts/{size}", "posts", "x11", ("tandem", "libuv-guest"),
                   {"threads": 1, "n": size}, {}, repetitions=3)
    for size in (10, 1000, min(100000, (descriptors - 200) // 2)):
        yield Case(f"growth/echo/{size}", "echo", "x11", ("tandem", "libuv-poll"),
                   {"pairs": size, "seconds": 1}, {}, reference="libuv-poll", repetitions=3)
    for size in (10, 1000, min(100000, descriptors - 200)):
        yield Case(f"growth/idletick/{size}", "idletick", "dummy", ("tandem", "libuv-frame"),
                   {"fds": size, "n": 500000}, {}, reference="libuv-frame", repetitions=3)
    # The larger sizes are among the cases above.
    for size in (10, 1000):
        yield Case(f"growth/timers/{size}", "timers", "x11", ("tandem", "libuv-guest"),
                   {"n": size}, {}, repetitions=3)


@dataclasses.dataclass(frozen=True)
class Goal:
    case: str
    driver: str
    metric: str
    # "<=" or ">="
    relation: str
    factor: float
    # "": the factor is the limit itself.
    subject: str = ""


GOALS = [
    Goal("wake/idle", "x11", "p50", "<=", 0.4, "libuv-guest"),
    Goal("wake/idle", "x11", "p99", "<=", 0.6, "libuv-guest"),
    Goal("wake/idle", "dummy", "p50", "<=", 0.05, "libuv-guest"),
    Goal("wake/spin", "dummy", "p50", "<=", 0.8, "libuv-guest"),
    Goal("posts/1", "dummy", "per_post", "<=", 1.0, "libuv-guest"),
    Goal("posts/4", "dummy", "per_post", "<=", 1.0, "libuv-guest"),
    Goal("posts/1", "dummy", "hints_per_tick", "<=", 1),
    Goal("posts/4", "dummy", "hints_per_tick", "<=", 1),
    Goal("timers/100000", "x11", "insert", "<=", 1.0, "libuv-guest"),
    Goal("timers/100000", "x11", "late_p50", "<=", 0.3, "libuv-guest"),
    Goal("timers/100000", "x11", "early", "<=", 0),
    Goal("timers/100000", "dummy", "late_p50", "<=", 0.3, "libuv-guest"),
    Goal("timers/1000000", "x11", "insert", "<=", 1.0, "libuv-guest"),
    Goal("timers/1000000", "x11", "late_p50", "<=", 0.3, "libuv-guest"),
    Goal("timers/1000000", "x11", "late_p50", "<=", 3, "raw"),
    Goal("timers/1000000", "x11", "early", "<=", 0),
    Goal("cancel", "dummy", "sum", "<=", 0.4, "libuv-guest"),
    Goal("periodic", "x11", "drift", "<=", 1),
    Goal("periodic", "x11", "late_p99", "<=", 0.35, "libuv-guest"),
    Goal("periodic", "dummy", "drift", "<=", 1),
    Goal("periodic", "dummy", "late_p99", "<=", 0.35, "libuv-guest"),
    Goal("echo/100", "x11", "round_trips", ">=", 1.25, "libuv-poll"),
    Goal("echo/1000", "x11", "round_trips", ">=", 1.0, "libuv-poll"),
    Goal("echo/100", "dummy", "round_trips", ">=", 4, "libuv-poll"),
    Goal("echo/100", "x11", "round_trips", ">=", 0.9, "raw"),
    Goal("echo/1000", "x11", "round_trips", ">=", 0.9, "raw"),
    Goal("idle", "x11", "switches", "<=", 30),
    Goal("idle", "dummy", "switches", "<=", 30),
    Goal("idle", "x11", "cpu", "<=", 1.0, "libuv-guest"),
    Goal("idle", "dummy", "cpu", "<=", 0.02, "libuv-guest"),
    Goal("idletick/1", "dummy", "tick", "<=", 5),
    Goal("idletick/1000", "dummy", "tick", "<=", 5),
    Goal("game", "dummy", "work_per_frame", "<=", 1.0, "libuv-guest"),
    Goal("game", "dummy", "late_p99", "<=", 1.0, "raw"),
    Goal("game", "dummy", "overruns", "<=", 0),
    Goal("smallframe", "dummy", "ui_thread_per_frame", "<=", 1.3, "raw"),
    Goal("tasks", "x11", "job", "<=", 0.5, "dispatch"),
    Goal("tasks", "x11", "hop", "<=", 1.0, "dispatch"),
    Goal("tasks", "x11", "awaits_ticks", "<=", 1),
    Goal("memory", "dummy", "timer", "<=", 64),
    Goal("memory", "dummy", "registration", "<=", 128),
    Goal("memory", "dummy", "allocs_per_timer", "<=", 0),
    Goal("memory", "dummy", "allocs_per_io", "<=", 0),
    Goal("memory", "dummy", "allocs_per_frame_wait", "<=", 0),
]
