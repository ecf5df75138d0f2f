# SPDX-License-Identifier: Apache-2.0
"""Says on standard error what runs, how far the whole is, and how long it will still take.

On a terminal that is one line, written over and over; elsewhere, where a log would fill with it, a line now and then.
"""

import sys
import time

# Seconds between two lines where standard error is no terminal.
PAUSE = 10


class Progress:
    """Steps are hashable; one that comes in several repetitions is expected to take as long as it did before."""

    def __init__(self, steps, stream=sys.stderr, clock=time.monotonic):
        self.left = list(steps)
        self.total = len(self.left)
        self.done = 0
        self.stream = stream
        self.clock = clock
        self.is_terminal = stream.isatty()
        self.seconds = {}
        self.last_line = None

    def add(self, steps):
        """More to do than was known at first."""
        steps = list(steps)
        self.left += steps
        self.total += len(steps)

    def begins(self, step, text):
        now = self.clock()
        if self.is_terminal:
            self.stream.write("\r\x1b[K" + self.line(text)[:119])
        elif self.last_line is None or now - self.last_line >= PAUSE:
            self.stream.write(self.line(text) + "\n")
            self.last_line = now
        self.stream.flush()

    def ended(self, step, seconds):
        self.left.remove(step)
        self.done += 1
        self.seconds.setdefault(step, []).append(seconds)

    def line(self, text):
        return f"{self.done} of {self.total} done ({100 * self.done // max(self.total, 1)} %), {self.time_left()}: {text}"

    def time_left(self):
        seconds = self.seconds_left()
        if seconds is None:
            return "time left not known yet"
        return f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left"

    def seconds_left(self):
        """What each step that is left took the last times; one that has not run yet counts as the mean of those that have."""
        if not self.seconds:
            return None
        means = {step: sum(times) / len(times) for step, times in self.seconds.items()}
        usual = sum(means.values()) / len(means)
        return sum(means.get(step, usual) for step in self.left)

    def message(self, text):
        """A line of its own, which the next progress does not write over."""
        self.stream.write(("\r\x1b[K" if self.is_terminal else "") + text + "\n")
        self.stream.flush()

    def end(self):
        if self.is_terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
