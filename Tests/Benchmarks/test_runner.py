#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the runner itself, without measuring: intervals, busy machines, comparisons, code lines.

    python3 Tests/Benchmarks/test_runner.py
"""

import argparse
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import bench
import confidence
import counting
import machine
import plan
import tables

ARGUMENTS = argparse.Namespace(quick=False, repetitions=3, most=8, anyway=True, subjects=None, only=["smallframe"])


def row(value, least, most, subject="tandem"):
    return {"workload": "w", "driver": "dummy", "subject": subject, "metric": "m", "unit": "us", "value": value, "min": least, "max": most}


def printed(function, *arguments):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        function(*arguments)
    return text.getvalue()


class Intervals(unittest.TestCase):
    def test_the_interval_contains_the_ratio_and_narrows_with_repetitions(self):
        few, many = confidence.interval([1.9, 2.0, 2.1]), confidence.interval([1.9, 2.0, 2.1] * 5)
        self.assertTrue(few.low < 2 < few.high)
        self.assertLess(many.high - many.low, few.high - few.low)
        # By a table of Student's t: the mean of 1, 2, 3 times e^x, whose logarithms have the standard error 1 / sqrt(3).
        logarithms = confidence.interval([2.718281828 ** power for power in (1, 2, 3)])
        self.assertAlmostEqual(logarithms.high / logarithms.middle, 2.718281828 ** (4.303 / 3 ** 0.5), places=3)

    def test_the_inverse_ratio_has_the_inverse_interval(self):
        values = [1.2, 1.5, 1.35, 1.1]
        there, back = confidence.interval(values), confidence.interval([1 / value for value in values])
        self.assertAlmostEqual(there.low, 1 / back.high)
        self.assertAlmostEqual(there.middle, 1 / back.middle)

    def test_one_ratio_or_a_zero_has_no_interval(self):
        self.assertIsNone(confidence.interval([1.0]))
        self.assertIsNone(confidence.interval([1.0, 0.0]))

    def test_ratios_are_of_the_same_repetition(self):
        self.assertEqual(confidence.ratios({1: 10, 2: 30, 4: 5}, {1: 5, 2: 10, 3: 7}), [2, 3])


class Rounds(unittest.TestCase):
    def setUp(self):
        self.bench = bench.Bench(ARGUMENTS, list(plan.cases()))
        self.case = next(case for case in plan.cases() if case.name == "smallframe")

    def give(self, repetition, **values):
        for name, value in values.items():
            for metric in ("ui_thread_per_frame", "all_threads_per_frame"):
                self.bench.values["smallframe", "dummy", name.replace("_", "-"), metric, "us"][repetition] = value

    def names(self, repetition):
        return {name for case, name in self.bench.round(repetition) if case.name == "smallframe"}

    def test_what_is_sure_is_not_repeated_and_what_is_not_is(self):
        for repetition, raw in ((1, 10), (2, 10.01), (3, 10)):
            self.give(repetition, tandem=20, raw=raw, libuv_frame=5 * repetition, nio=40)
        self.assertEqual(self.names(4), {"tandem", "libuv-frame"})
        self.assertEqual(self.names(ARGUMENTS.most + 1), set())

    def test_a_repetition_on_a_busy_machine_is_left_out_and_made_up_for(self):
        for repetition in (1, 2, 3):
            self.give(repetition, tandem=20, raw=10, libuv_frame=10, nio=40)
        self.assertEqual(self.names(4), set())
        self.bench.forget([(self.case, "tandem"), (self.case, "raw")], 2)
        self.assertEqual(self.names(4), set(self.case.subjects))
        self.assertEqual([found["repetitions"] for found in self.bench.rows() if found["subject"] == "raw"], [2, 2])
        self.assertEqual(self.bench.busy_cases(), {("smallframe", "dummy")})
        self.give(4, tandem=20, raw=10, libuv_frame=10, nio=40)
        self.assertEqual(self.bench.busy_cases(), set())

    def test_a_goal_that_a_busy_machine_left_open_says_so(self):
        text = printed(tables.print_goals, [], {}, {("smallframe", "dummy")}, True)
        self.assertIn("TOO BUSY TO TELL", text)
        self.assertNotIn("not measured  ", text)


class Quiet(unittest.TestCase):
    def look(self, share, speed, quietness=None):
        quietness = quietness or machine.Quietness(None)
        quietness.command = ["printf", f"share of_1 {share}\\nspeed steps_per_us {speed}\\n"]
        return quietness, quietness.look()

    def test_a_core_that_is_taken_or_slowed_down_is_busy(self):
        quietness, is_quiet = self.look(0.99, 2.0)
        self.assertTrue(is_quiet)
        self.assertFalse(self.look(0.80, 2.0, quietness)[1])
        self.assertFalse(self.look(0.99, 1.5, quietness)[1])
        self.assertTrue(self.look(0.96, 1.9, quietness)[1])
        self.assertEqual((quietness.quiet_looks, quietness.looks), (2, 4))


class Comparisons(unittest.TestCase):
    def test_only_what_is_outside_of_both_ranges_is_marked(self):
        text = printed(tables.print_comparison, [row(10, 9, 12), row(10, 9, 11, "raw")], [row(12.5, 11, 14), row(12, 11.5, 14, "raw")], "old.json")
        self.assertEqual(text.count("HIGHER"), 1)
        self.assertIn("2 rows compared; 1 are outside", text)


class CodeLines(unittest.TestCase):
    PROFILE = """positions: instr line
events: Ir
ob=/a
fn=f
0x1000 0 5
0x1004 0 5
0x1040 0 7
cob=/b
cfn=g
calls=5 0x2000 0
0x1044 0 900
0x1048 0 7
ob=/b
fn=g
0x1000 0 3
"""

    def test_a_call_counts_by_its_own_instructions_and_a_line_once(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "out"
            path.write_text(self.PROFILE)
            runs, objects = counting.read_profile(path)
        self.assertEqual(dict(objects), {"/a": 5 + 5 + 7 + 7, "/b": 3})
        self.assertEqual(dict(runs), {("/a", 0x40): 5, ("/a", 0x41): 7, ("/b", 0x40): 3})


class Plan(unittest.TestCase):
    def test_every_goal_is_of_something_that_is_measured(self):
        cases = {(case.name, case.driver): case for case in plan.cases()}
        for goal in plan.GOALS:
            if goal.case == "instructions":
                self.assertIn(goal.of, counting.FRAME_SUBJECTS)
                continue
            case = cases[goal.case, goal.driver]
            self.assertIn(goal.of, case.subjects)
            self.assertTrue(not goal.subject or goal.subject in case.subjects, goal)


if __name__ == "__main__":
    unittest.main()
