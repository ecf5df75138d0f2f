# SPDX-License-Identifier: Apache-2.0
"""The measurements: each is one process; which are made, how often, and what they gave."""

import collections
import concurrent.futures
import itertools
import os
import pathlib
import statistics
import subprocess
import threading
import time

import confidence
import counting
import machine
import measurement
import plan
import progress

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Workloads whose raw subjects have SDL, too: its events are a part of their frames.
WITH_SDL = ("game", "smallframe")


class Display:
    """A virtual X display, started when first needed."""

    def __init__(self):
        self.process = None
        self.name = None
        self.failure = None

    def start(self):
        if self.name or self.failure:
            return self.name
        reading, writing = os.pipe()
        try:
            self.process = subprocess.Popen(
                ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
                pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError as error:
            self.failure = f"Xvfb did not start: {error}"
        finally:
            os.close(writing)
        with os.fdopen(reading) as number:
            text = "" if self.failure else number.readline().strip()
        if text:
            self.name = f":{text}"
        elif not self.failure:
            self.failure = "Xvfb did not start"
        return self.name

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


class Bench:
    def __init__(self, arguments, cases):
        self.cases = cases
        self.quick = arguments.quick
        self.repetitions = arguments.repetitions or (1 if self.quick else 5)
        # Further repetitions are of those alone whose goals are not decided yet.
        self.most = self.repetitions if self.quick else max(arguments.most, self.repetitions)
        self.quietness = None if self.quick or arguments.anyway else machine.Quietness(plan.CALIBRATE)
        self.subjects = arguments.subjects
        self.only = arguments.only
        self.display = Display()
        # (case name, driver, subject, metric, unit) -> {repetition: value}
        self.values = collections.defaultdict(dict)
        # (case name, driver) -> its repetitions on a busy machine, which do not count
        self.disturbed = collections.defaultdict(set)
        # subject -> reasons, once each
        self.failures = collections.defaultdict(list)
        self.declined = {}
        self.progress = progress.Progress(
            (case.name, case.driver, name) for repetition in range(1, self.repetitions + 1) for case, name in self.round(repetition))
        self.lock = threading.Lock()
        # The processes under way; none begins once the bench has been interrupted.
        self.running = set()
        self.is_interrupted = False

    def chosen(self, case):
        if self.only and not any(name in (case.name, case.name.split("/")[0]) for name in self.only):
            return ()
        return [name for name in case.subjects if not self.subjects or name in self.subjects]

    def title(self, case):
        """Small sizes have a name of their own, so that nobody takes them for the others."""
        return f"quick/{case.name}" if self.quick else case.name

    def group(self, case):
        return case.group or (case.quick_group if self.quick else "")

    def round(self, repetition):
        """The measurements of one repetition: case, subject."""
        cases = [case for case in self.cases if not (self.quick and case.name.startswith("growth/"))]
        if repetition <= self.repetitions:
            return [(case, name) for case in cases if not case.repetitions or repetition <= case.repetitions for name in self.chosen(case)]
        if repetition > self.most:
            return []
        return [(case, name) for case in cases for name in self.undecided(case)]

    def undecided(self, case):
        """The subjects whose figures are still missing or not sure enough."""
        wanted = min(case.repetitions or self.repetitions, self.repetitions)
        # Those that disturbances have taken away are made up for.
        if self.disturbed[case.name, case.driver] and self.quiet_repetitions(case) < wanted:
            return self.chosen(case)
        names = set()
        for goal in plan.GOALS:
            if (goal.case, goal.driver) != (case.name, case.driver) or not goal.subject:
                continue
            interval = self.interval(goal)
            if interval and not interval.is_narrow:
                names |= {goal.of, goal.subject}
        return [name for name in self.chosen(case) if name in names]

    def quiet_repetitions(self, case):
        title = self.title(case)
        return max((len(values) for key, values in self.values.items() if key[:2] == (title, case.driver)), default=0)

    def interval(self, goal):
        """Of the goal's ratio; None where there is none."""
        if not goal.subject:
            return None
        found = {key[2]: values for key, values in self.values.items()
                 if key[:2] == (goal.case, goal.driver) and key[3] == goal.metric and key[2] in (goal.of, goal.subject)}
        if len(found) < 2:
            return None
        return confidence.interval(confidence.ratios(found[goal.of], found[goal.subject]))

    def run_all(self, after_repetition):
        for repetition in itertools.count(1):
            round_ = self.round(repetition)
            if not round_:
                return
            if repetition > self.repetitions:
                self.progress.add((case.name, case.driver, name) for case, name in round_)
            # The machine is idle while those of a group sleep: they run side by side, as one piece.
            pieces = collections.defaultdict(list)
            for case, name in round_:
                pieces[self.group(case) or (case.name, case.driver)].append((case, name))
            is_quiet = self.look()
            for piece in pieces.values():
                if self.group(piece[0][0]):
                    self.run_side_by_side(piece, repetition)
                else:
                    for case, name in piece:
                        self.run_one(case, name, repetition)
                was_quiet, is_quiet = is_quiet, self.look()
                if not (was_quiet and is_quiet):
                    self.forget(piece, repetition)
            after_repetition()

    def look(self):
        return self.quietness is None or self.quietness.look()

    def forget(self, piece, repetition):
        """What was measured on a busy machine says nothing."""
        for case in {case.name: case for case, _ in piece}.values():
            for driver in {other.driver for other, _ in piece if other.name == case.name}:
                self.disturbed[case.name, driver].add(repetition)
                for key, values in self.values.items():
                    if key[:2] == (self.title(case), driver):
                        values.pop(repetition, None)

    def run_side_by_side(self, work, repetition):
        if any(case.driver == "x11" for case, _ in work):
            self.display.start()
        # Those that take longest to start go first, so that Tandem's is not measured while others start.
        with concurrent.futures.ThreadPoolExecutor(max(len(work), 1)) as pool:
            try:
                running = []
                for item in sorted(work, key=lambda item: -item[0].subjects.index(item[1])):
                    running.append(pool.submit(self.run_one, *item, repetition, side_by_side=len(work)))
                    time.sleep(0.2)
                for done in running:
                    done.result()
            except KeyboardInterrupt:
                # Before the pool waits for them.
                self.interrupt()
                raise

    def interrupt(self):
        with self.lock:
            self.is_interrupted = True
            running = list(self.running)
        for process in running:
            process.stop()

    def run_one(self, case, name, repetition, side_by_side=1):
        subject = plan.SUBJECTS[name]
        place = f"{name} {case.name} ({case.driver})"
        step = (case.name, case.driver, name)
        if not (ROOT / subject.command[0]).exists():
            with self.lock:
                self.progress.ended(step, 0)
            if subject.command[0] in plan.OPTIONAL:
                self.declined[name] = f"{subject.command[0]} is not built"
                return
            self.fail(name, f"{name}: {subject.command[0]} is missing")
            return
        environment = dict(os.environ, SDL_VIDEODRIVER=case.driver, SDL_AUDIODRIVER="dummy",
                           PYTHONPYCACHEPREFIX=str(ROOT / ".build/bench/pycache"))
        environment.pop("WAYLAND_DISPLAY", None)
        if case.driver == "x11":
            if not self.display.start():
                self.fail(name, f"{place}: {self.display.failure}")
                return
            environment["DISPLAY"] = self.display.name
        options = dict(case.options, **subject.options)
        if self.quick:
            options.update(case.quick)
        for key, size in case.smaller.get(name, {}).items():
            options[key] = min(size, options[key])
        # What a raw subject waits on without SDL.
        driver = "none" if name.startswith("raw") and case.driver == "dummy" and case.workload not in WITH_SDL else case.driver
        command = [*subject.command, subject.prefix + case.workload, f"driver={driver}"]
        command += [f"{key}={value}" for key, value in options.items()]
        process = measurement.Process(command, environment, ROOT)
        with self.lock:
            if self.is_interrupted:
                return
            self.running.add(process)
            self.progress.begins(step, f"{place}, repetition {repetition} of {self.repetitions}")
        try:
            outcome = process.run()
        finally:
            with self.lock:
                self.running.discard(process)
        if self.is_interrupted:
            return
        with self.lock:
            self.progress.ended(step, outcome.wall / side_by_side)
        if outcome.status == 3:
            self.declined[place] = outcome.errors.splitlines()[-1] if outcome.errors else "no reason given"
            return
        if outcome.status != 0:
            self.fail(name, f"{place}: {outcome.reason()}")
            return
        lines = [line.split() for line in outcome.output.splitlines() if line.strip()]
        try:
            results = [(metric, unit, float(value)) for metric, unit, value in lines]
        except ValueError:
            self.fail(name, f"{place}: its output is not lines of \"metric unit value\": {outcome.output[:200]!r}")
            return
        results += [("process_wall", "ms", outcome.wall * 1e3), ("process_cpu", "ms", outcome.cpu * 1e3)]
        for metric, unit, value in results:
            self.values[self.title(case), case.driver, name, metric, unit][repetition] = value

    def fail(self, name, reason):
        if reason not in self.failures[name]:
            self.failures[name].append(reason)
            self.progress.message("FAILED: " + reason)

    def add_counts(self):
        """The instructions, where they can be counted: once, since they are the same every time."""
        for subject, metric, unit, value in counting.for_goals(self.progress.message):
            self.values["instructions", "callgrind", subject, metric, unit][1] = value

    def intervals(self):
        found = {goal: self.interval(goal) for goal in plan.GOALS}
        return {goal: interval for goal, interval in found.items() if interval}

    def busy_cases(self):
        """Those for which a busy machine has left too few repetitions to say anything."""
        return {(case.name, case.driver) for case in self.cases
                if self.disturbed[case.name, case.driver] and self.quiet_repetitions(case) < min(confidence.LEAST, self.repetitions)}

    def rows(self):
        for (case, driver, subject, metric, unit), by_repetition in self.values.items():
            values = list(by_repetition.values())
            if values:
                yield {
                    "workload": case, "driver": driver, "subject": subject, "metric": metric, "unit": unit,
                    "value": statistics.median(values), "min": min(values), "max": max(values), "repetitions": len(values)}
        for goal, interval in self.intervals().items():
            yield {
                "workload": goal.case, "driver": goal.driver, "subject": f"{goal.of} : {goal.subject}", "metric": goal.metric,
                "unit": "ratio", "value": interval.middle, "min": interval.low, "max": interval.high, "repetitions": interval.count}
