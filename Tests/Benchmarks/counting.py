# SPDX-License-Identifier: Apache-2.0
"""Counts instructions, and the 64-byte lines of code that they lie in, by callgrind: a busy machine does not matter to it.

Everything is run at two sizes, and only the difference counts: what starting and ending cost is in both. A line of code is touched by a frame if
some instruction of it runs at least every second time; lines that the main thread touches are those of a game's frame.
"""

import collections
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import plan

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILT = ROOT / ".build/bench"
PATHS = {
    "idletick": "an idle tick",
    "post": "a post and its run",
    "timer": "a timer armed and fired",
    "arm": "a timer armed for an instant and cancelled",
    "io": "a descriptor's event and its callback",
    "lines": "a line that has arrived",
    "chunks": "a chunk, written and read",
    "receive": "a datagram, sent and received",
    # Work W12, a game's small frame; each includes an empty frame.
    "frame": "an empty frame",
    "framewaits": "a frame that three tasks await",
    "framereceives": "a frame with eight datagrams received",
    "framesends": "a frame whose task sends eight datagrams",
    "frametimers": "a frame with five timers, one cancelled",
    "frameposts": "a frame with ten posts",
    "wakes": "a wake by a descriptor, and its callback",
    # Once in a process: most of it is what the runtime does when something is used for the first time.
    "start": "a guest's start, first callback and end",
}
SIZES = (4_000, 24_000)
FRAMES = (200, 1_700)
ONCE = (0, 1)
TRIES = 3
# Where a count is above what was recorded: a machine that holds threads up makes them look at the clock more often.
MORE_TRIES = 9
ENVIRONMENT = dict(os.environ, SDL_VIDEODRIVER="dummy", SDL_AUDIODRIVER="dummy")
LINE = 64

# All of W12's frame, in seconds. So few frames a second that a frame has time for its work under callgrind, too; posts keep to the frame's length.
FRAME_SUBJECTS = ("tandem", "tandem-handlers", "tandem-frameloop", "tandem-wait", "threads", "libuv-frame", "libuv-wait", "glib-frame",
                  "glib-wait", "nio", "nio-runloop", "raw", "raw-wait")
FRAME_SECONDS = (2, 6)
FRAME_RATE = 20


@dataclasses.dataclass
class Cost:
    """Of one piece of work. All but `all` is the main thread's; `objects` says in which library or program the instructions lie."""

    all: float
    own: float
    code_lines: int
    objects: dict = dataclasses.field(default_factory=dict)
    # What the program said.
    output: str = ""


def stripped(binary):
    """Valgrind 3.19 ends upon the debug information of newer compilers."""
    target = BUILT / f"{pathlib.Path(binary).name}-stripped"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Put in place at once: another thread may run it.
    own = target.with_name(f"{target.name}.{threading.get_ident()}")
    subprocess.run(["strip", "--strip-debug", "-o", str(own), str(ROOT / binary)], check=True)
    own.replace(target)
    return target


def run(command, options=(), timeout=300):
    result = subprocess.run(["valgrind", "--tool=callgrind", *options, *command], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout)
    if result.returncode != 0:
        own = [line for line in result.stderr.splitlines() if line and not line.startswith("==")]
        last = (own or ["no message"])[-1]
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {result.returncode} under valgrind: {last}")
    return result


def total(binary, path, count):
    """All instructions of one process, on all threads."""
    result = run([binary, f"count/{path}", f"n={count}"], ["--callgrind-out-file=/dev/null"])
    check_ran(result, path, count)
    return int(re.search(r"Collected : (\d+)", result.stderr)[1])


def check_ran(result, path, count):
    ran = re.search(r"^ran count (\d+)$", result.stdout, re.MULTILINE)
    if not ran or int(ran[1]) < count:
        raise RuntimeError(f"count/{path} n={count} did not do its work; it said: {result.stdout.strip()!r}")


def sizes(path):
    if path == "start":
        return ONCE
    return FRAMES if path.startswith("frame") or path == "wakes" else SIZES


def cost(binary, path, tries=TRIES):
    """Instructions of one. The least of several runs: the other thread's wake-ups only ever add some."""
    small, large = (min(total(binary, path, count) for _ in range(tries)) for count in sizes(path))
    return (large - small) / (sizes(path)[1] - sizes(path)[0])


def by_line(command):
    """Of one process: what it said, instructions of all threads, those of the main thread by object, and how often the main thread ran each line of code."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        result = run(command, [f"--callgrind-out-file={out}", "--separate-threads=yes", "--dump-instr=yes", "--compress-strings=no", "--compress-pos=no"])
        own = out.with_name("out-01")
        if not own.exists():
            raise RuntimeError(f"callgrind wrote nothing of the main thread of {' '.join(map(str, command))}")
        runs, objects = read_profile(own)
        return result.stdout, int(re.search(r"Collected : (\d+)", result.stderr)[1]), objects, runs


def read_profile(path):
    """How often each (object, line) was run, by its most frequent instruction, and the instructions of each object."""
    by_address = collections.Counter()
    binary, is_call = "", False
    with open(path, errors="replace") as file:
        for line in file:
            if line.startswith("ob="):
                binary = line[3:].rstrip()
            elif line.startswith("calls="):
                # The next line is what the call cost, which stands with its own instructions as well.
                is_call = True
            elif line.startswith("0x"):
                if is_call:
                    is_call = False
                    continue
                parts = line.split()
                by_address[binary, int(parts[0], 16)] += int(parts[2])
    runs, objects = collections.Counter(), collections.Counter()
    for (binary, address), count in by_address.items():
        key = (binary, address // LINE)
        runs[key] = max(runs[key], count)
        objects[binary] += count
    return runs, objects


def cost_by_line(commands, count):
    """`commands`: the smaller and the larger one, which does so much more."""
    (_, small, small_objects, before), (output, large, large_objects, after) = (by_line(command) for command in commands)
    lines = sum(1 for key, runs in after.items() if runs - before[key] >= count / 2)
    objects = {name: (instructions - small_objects[name]) / count for name, instructions in large_objects.items()}
    return Cost((large - small) / count, sum(objects.values()), lines, objects, output)


def part(path):
    """One of PATHS."""
    binary, (few, many) = stripped(plan.TANDEM[0]), sizes(path)
    return cost_by_line([[binary, f"count/{path}", f"n={count}"] for count in (few, many)], many - few)


def frame(name):
    """One of FRAME_SUBJECTS; None: it is not built."""
    return frame_of(plan.SUBJECTS[name])


def frame_of(subject, frame_seconds=FRAME_SECONDS):
    if not (ROOT / subject.command[0]).exists():
        return None
    binary = stripped(subject.command[0])
    options = [f"{key}={value}" for key, value in subject.options.items()]
    commands = [[binary, *subject.command[1:], subject.prefix + "smallframe", "driver=dummy", "cold_mb=0", "budget_ms=1000", f"fps={FRAME_RATE}", f"seconds={seconds}",
                 *options] for seconds in frame_seconds]
    return cost_by_line(commands, FRAME_RATE * (frame_seconds[1] - frame_seconds[0]))


def for_goals(say):
    """(subject, metric, unit, value) of everything that has a goal; nothing where valgrind is missing."""
    if not shutil.which("valgrind"):
        say("instructions are not counted: valgrind is missing")
        return
    binary = stripped(plan.TANDEM[0])
    for name in FRAME_SUBJECTS:
        say(f"counting the instructions of {name}'s small frame")
        try:
            found = frame(name)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            say(f"FAILED: {error}")
            continue
        if found:
            yield name, "smallframe", "instructions", found.own
            yield name, "smallframe_all_threads", "instructions", found.all
            yield name, "smallframe_code_lines", "count", found.code_lines
    say("counting the instructions of the hot paths")
    costs = {path: cost(binary, path) for path in ("frame", "framewaits", "framereceives", "wakes", "timer", "post", "idletick", "io")}
    for path in ("wakes", "timer", "post", "idletick", "io"):
        yield "tandem", path, "instructions", costs[path]
    # Of three tasks one wait each; of eight datagrams one wait for the batch.
    yield "tandem", "frame_wait", "instructions", (costs["framewaits"] - costs["frame"]) / 3
    yield "tandem", "batch_wait", "instructions", costs["framereceives"] - costs["frame"]


def require(binary):
    if not (ROOT / binary).exists():
        sys.exit(f"{ROOT / binary} is missing; type: swift build --configuration release --product TandemBench")
