# SPDX-License-Identifier: Apache-2.0
"""agree.py SPECTATOR.json SCOREBOARD: whether a spectator's table says what a player's scoreboard says."""

import json
import re
import sys

found = json.load(open(sys.argv[1]))
match, total, seats = re.fullmatch(r"match (\d+): (\d+); (.*)", sys.argv[2]).groups()
points = {name: int(score) for name, score in re.findall(r"\d+ ([^,]+) (\d+)(?:, |$)", seats)}
if (found["match"], found["total"], found["points"]) != (int(match), int(total), points):
    sys.exit(f"the spectator saw {found}, the players have {sys.argv[2]}")
