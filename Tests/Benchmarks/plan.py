# SPDX-License-Identifier: Apache-2.0
"""What is measured: the subjects, the work with its sizes, and where Tandem wants to be.

`run` carries this out; nothing here runs anything.
"""

import dataclasses

TANDEM = [".build/release/TandemBench"]
LIBUV = [".build/bench/libuv-peer"]
ASIO = [".build/bench/asio-peer"]
RAW = [".build/bench/raw-peer"]
GLIB = [".build/bench/glib-peer"]
# A package of its own, which `make bench` builds; without it the runner leaves it out.
NIO = [".build-nio/release/NIOBench"]
# No peer: the least Swift that does the same, which says how much of a difference is the language's.
LEAST = [".build-limits/release/LeastFrame"]
# Files that a run may be without.
OPTIONAL = (NIO[0], LEAST[0])
# What the runner asks of a machine before it measures on it.
CALIBRATE = [*RAW, "calibrate"]
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
    "tandem-asked": Subject(TANDEM, {"ticks": "asked"}),
    "tandem-wait": Subject(TANDEM, {"frames": "wait"}),
    "libuv-guest": Subject(LIBUV, {"design": "guest"}),
    "libuv-frame": Subject(LIBUV, {"design": "frame"}),
    "libuv-wait": Subject(LIBUV, {"design": "wait"}),
    "libuv-streams": Subject(LIBUV, {"design": "guest", "impl": "streams"}),
    "libuv-poll": Subject(LIBUV, {"design": "guest", "impl": "poll"}),
    "asio-frame": Subject(ASIO, {"design": "frame"}),
    "asio-thread": Subject(ASIO, {"design": "thread"}),
    "trio-guest": Subject(PYTHON, {"design": "trio"}),
    "aioguest": Subject(PYTHON, {"design": "aioguest"}),
    "dispatch": Subject(TANDEM, prefix="dispatch/"),
    "threads": Subject(TANDEM, prefix="threads/"),
    "glib-frame": Subject(GLIB, {"design": "frame"}),
    "glib-wait": Subject(GLIB, {"design": "wait"}),
    "nio": Subject(NIO, {"pump": "queue"}),
    "nio-runloop": Subject(NIO, {"pump": "runloop"}),
    "least": Subject(LEAST, {"with": "runs"}),
    "least-wait": Subject(LEAST, {"with": "runs", "frames": "wait"}),
    "raw": Subject(RAW),
    "raw-wait": Subject(RAW, {"impl": "wait"}),
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
    # The same where nobody reads the figures.
    quick_group: str = ""
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
        "wake/spin", "wake", "dummy", ("tandem", "tandem-asked", "libuv-guest", "libuv-frame", "asio-frame", *SLOW, "raw"),
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
        "smallframe", "smallframe", "dummy",
        ("tandem", "tandem-asked", "tandem-handlers", "threads", "libuv-frame", "glib-frame", "nio", "nio-runloop", "least", "raw"),
        {"seconds": 4}, {"seconds": 1, "budget_ms": 1000}, reference="raw", quick_group="frames")
    yield Case(
        "smallframe/woken", "smallframe", "dummy", ("tandem-frameloop", "tandem-wait", "libuv-wait", "glib-wait", "least-wait", "raw-wait"),
        {"seconds": 4}, {"seconds": 1, "budget_ms": 1000}, reference="raw-wait", quick_group="frames")
    yield from (
        Case(f"server/{inputs}", "server", "dummy", ("tandem", "tandem-handlers", "nio", "least", "raw"),
             {"seconds": 4, "inputs": inputs, "loss": 1}, {"seconds": 1, "rate": 20, "loss": 20}, reference="raw", quick_group="servers")
        for inputs in ("spread", "bursts"))
    yield Case("start", "start", "dummy", ("tandem", "libuv-guest", "nio", "least", "raw"), {}, {})
    yield from (
        Case(f"burst/posts-{count}", "burst/posts", "x11", ("tandem", "libuv-guest", "raw"), {"n": count, "rounds": 100}, {"rounds": 10})
        for count in (10, 1000))
    yield from (
        Case(f"burst/timers-{count}", "burst/timers", "dummy", ("tandem", "libuv-frame", "least", "raw"), {"n": count, "rounds": 100},
             {"rounds": 10}, reference="libuv-frame")
        for count in (10, 1000))
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
    # Whose goal it is.
    of: str = "tandem"


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
    Goal("smallframe", "dummy", "ui_thread_per_frame", "<=", 1.0, "libuv-frame"),
    Goal("smallframe", "dummy", "all_threads_per_frame", "<=", 0.5, "nio"),
    *(Goal("smallframe/woken", "dummy", metric, "<=", 1.15, "raw-wait", of)
      for of in ("tandem-frameloop", "tandem-wait") for metric in ("ui_thread_per_frame", "all_threads_per_frame")),
    *(Goal(f"server/{inputs}", "dummy", "per_datagram", "<=", factor, subject)
      for inputs in ("spread", "bursts") for factor, subject in ((1.15, "raw"), (0.7, "nio"))),
    Goal("start", "dummy", "first_callback", "<=", 0.3),
    Goal("start", "dummy", "resident", "<=", 600),
    *(Goal(f"burst/posts-{count}", "x11", condition, "<=", 1.0, "libuv-guest")
      for count in (10, 1000) for condition in ("first", "cold", "warm")),
    *(Goal(f"burst/timers-{count}", "dummy", f"{part}_{condition}", "<=", 1.0, "libuv-frame")
      for count in (10, 1000) for part in ("insert", "fired") for condition in ("first", "cold", "warm")),
    Goal("burst/timers-1000", "dummy", "insert_warm", "<=", 6, "raw"),
    # Counted by callgrind; see counting.py.
    Goal("instructions", "callgrind", "smallframe", "<=", 15000),
    Goal("instructions", "callgrind", "smallframe_code_lines", "<=", 400),
    Goal("instructions", "callgrind", "smallframe", "<=", 50000, of="tandem-frameloop"),
    Goal("instructions", "callgrind", "smallframe", "<=", 50000, of="tandem-wait"),
    Goal("instructions", "callgrind", "frame_wait", "<=", 1500),
    Goal("instructions", "callgrind", "batch_wait", "<=", 2500),
    Goal("instructions", "callgrind", "wakes", "<=", 800),
    Goal("instructions", "callgrind", "timer", "<=", 400),
    Goal("instructions", "callgrind", "post", "<=", 250),
    Goal("instructions", "callgrind", "idletick", "<=", 25),
    Goal("instructions", "callgrind", "io", "<=", 600),
    Goal("tasks", "x11", "job", "<=", 0.5, "dispatch"),
    Goal("tasks", "x11", "hop", "<=", 1.0, "dispatch"),
    Goal("tasks", "x11", "resume", "<=", 0.5, "dispatch"),
    Goal("tasks", "x11", "awaits_ticks", "<=", 1),
    Goal("memory", "dummy", "timer", "<=", 64),
    Goal("memory", "dummy", "registration", "<=", 128),
    Goal("memory", "dummy", "allocs_per_timer", "<=", 0),
    Goal("memory", "dummy", "allocs_per_io", "<=", 0),
    Goal("memory", "dummy", "allocs_per_frame_wait", "<=", 0),
]
