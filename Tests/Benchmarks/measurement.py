# SPDX-License-Identifier: Apache-2.0
"""One measurement is one process, run to its end or stopped."""

import os
import signal
import subprocess
import tempfile
import time

TIMEOUT = 180


class Outcome:
    def __init__(self, status, output, errors, wall, cpu):
        self.status, self.output, self.errors, self.wall, self.cpu = status, output, errors, wall, cpu

    def reason(self):
        last = self.errors.strip().splitlines()[-1:] or ["no message"]
        if self.status is None:
            return f"did not end within {TIMEOUT} s"
        if self.status < 0:
            return f"ended by {signal.Signals(-self.status).name}: {last[0]}"
        return f"ended with {self.status}: {last[0]}"


class Process:
    """One process, run to its end; wait4 gives the CPU time of it alone."""

    def __init__(self, command, environment, folder):
        self.command, self.environment, self.folder = command, environment, folder
        self.is_stopped = False

    def run(self):
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+", errors="replace") as errors:
            began = time.monotonic()
            # In a session of its own: Ctrl-C is the runner's to handle.
            process = subprocess.Popen(self.command, cwd=self.folder, env=self.environment, stdout=output, stderr=errors,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
            status, usage = None, None
            try:
                # A short command is waited for closely, a long one seldom, so that the runner itself costs nothing to speak of.
                while time.monotonic() - began < TIMEOUT and not self.is_stopped:
                    ended, wait_status, usage = os.wait4(process.pid, os.WNOHANG)
                    if ended:
                        status = os.waitstatus_to_exitcode(wait_status)
                        break
                    time.sleep(min(0.02, 0.002 + (time.monotonic() - began) / 20))
            finally:
                if status is None:
                    # Not `process.kill`, which would take the end of the process away from wait4.
                    os.kill(process.pid, signal.SIGKILL)
                    _, _, usage = os.wait4(process.pid, 0)
                process.returncode = status if status is not None else -signal.SIGKILL
            wall = time.monotonic() - began
            output.seek(0)
            errors.seek(0)
            return Outcome(status, output.read(), errors.read(), wall, usage.ru_utime + usage.ru_stime)

    def stop(self):
        """Any thread: the one that runs it ends it at its next look."""
        self.is_stopped = True
