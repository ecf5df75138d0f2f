# SPDX-License-Identifier: Apache-2.0
"""What machine this is, and whether it has time for a measurement.

`Quietness` has one thread on each core spin for a moment, before and after every measurement: a core that others use, or that the host of a virtual
machine gives to somebody else, is not there for what is measured either.
"""

import datetime
import os
import platform
import subprocess
import time

# A core that gives less than this share of itself is busy; one that comes so much less far in its time than it once did is slowed down.
LEAST_SHARE = 0.95
LEAST_SPEED = 0.8
# How long a busy machine is waited for before a run.
PATIENCE = 60


def describe():
    model = platform.processor() or platform.machine()
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": f"{platform.system()} {platform.release()}",
        "date": datetime.date.today().isoformat()}


class Quietness:
    def __init__(self, command, least_share=LEAST_SHARE):
        self.command = command
        self.least_share = least_share
        self.fastest = 0.0
        self.share, self.speed = 1.0, 0.0
        self.looks = self.quiet_looks = 0

    def look(self):
        """Whether the machine is quiet now."""
        result = subprocess.run(self.command, capture_output=True, text=True, timeout=30, check=True)
        values = {line.split()[0]: float(line.split()[2]) for line in result.stdout.splitlines()}
        self.share, self.speed = values["share"], values["speed"]
        self.fastest = max(self.fastest, self.speed)
        is_quiet = self.share >= self.least_share and self.speed >= LEAST_SPEED * self.fastest
        self.looks += 1
        self.quiet_looks += is_quiet
        return is_quiet

    def wait(self, patience=PATIENCE, pause=1):
        """Looks until it is quiet. False: it was not, all that time."""
        end = time.monotonic() + patience
        while not self.look():
            if time.monotonic() >= end:
                return False
            time.sleep(pause)
        return True

    def reason(self):
        return (f"a core gave {100 * self.share:.0f} % of itself (at least {100 * self.least_share:.0f} % are asked for), and came "
                f"{100 * self.speed / max(self.fastest, 1e-9):.0f} % as far in that time as at its best "
                f"(at least {100 * LEAST_SPEED:.0f} %); the load is {os.getloadavg()[0]:.2f}")
