# SPDX-License-Identifier: Apache-2.0
"""Looks at the page of Skirmish's dedicated server in a real browser, headless, until the server ends.

spectator.py URL SECONDS FOLDER

Writes FOLDER/spectator.json when the live view has ended: the match's number, the total and everybody's points as the page's table showed them last, how many
views were seen, and the longest time without one; and FOLDER/spectator.png, the page after half of SECONDS. Fails if the live view has not begun within half of
SECONDS, or has not ended 60 s after them, or if the page threw an exception."""

import contextlib
import json
import sys
import time

from browser import opened

# What somebody in front of the page sees: the line, the table, and whether anything is painted. At the end the line says that the server is gone; so the match and
# the total are the last view's.
LOOK = """{
  line: document.getElementById("line").textContent,
  step: view ? view.step : -1,
  match: view ? view.standing.match : 0,
  total: view ? view.standing.total : 0,
  rows: [...document.querySelectorAll("#players tr")].map(row => [...row.cells].map(cell => cell.textContent)),
  colours: new Set(new Uint32Array(paint.getImageData(0, 0, 960, 540).data.buffer)).size
}"""


def watch(browser, url, seconds, folder):
    browser.ask("Page.navigate", url=url)
    begin = time.monotonic()
    shown, step, views, change, silence, colours, has_picture = None, -1, 0, begin, 0.0, 0, False
    while True:
        now = time.monotonic()
        seen = None
        # The page may not be there yet.
        with contextlib.suppress(KeyError):
            seen = browser.value(LOOK)
        if browser.exceptions:
            raise RuntimeError(f"the page: {browser.exceptions}")
        if seen and "does not answer" in seen["line"] and shown:
            shown = seen
            break
        if seen and seen["step"] != step:
            if step >= 0:
                silence = max(silence, now - change)
            step, views, change = seen["step"], views + 1, now
        if seen and seen["rows"]:
            shown, colours = seen, max(colours, seen["colours"])
        if not has_picture and shown and now - begin > seconds / 2:
            has_picture = True
            browser.picture(f"{folder}/spectator.png")
        if not shown and now - begin > max(20, seconds / 2):
            raise RuntimeError(f"there is no live view: {seen}")
        if now - begin > seconds + 60:
            raise RuntimeError(f"the live view does not end: {seen}")
        time.sleep(0.2)
    return {"match": shown["match"], "total": shown["total"], "points": {row[0]: int(row[2]) for row in shown["rows"]}, "views": views, "longestSilence": round(silence, 2), "colours": colours}


def main():
    url, seconds, folder = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    with opened(folder) as browser:
        found = watch(browser, url, seconds, folder)
    with open(f"{folder}/spectator.json", "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
