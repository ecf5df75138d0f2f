# SPDX-License-Identifier: Apache-2.0
"""Looks at the page of Skirmish's dedicated server in a real browser, headless, until the server ends.

spectator.py URL SECONDS FOLDER

Writes FOLDER/spectator.json when the live view has ended: the match's number, the total and everybody's points as the page's table showed them last, how many
views were seen, and the longest time without one; and FOLDER/spectator.png, the page after half of SECONDS. Fails if the live view has not begun within half of
SECONDS, or has not ended 60 s after them, or if the page threw an exception.

The browser is told what to do through a pair of pipes in Chromium's DevTools protocol, so that it opens no port. Its profile is a folder that goes with it."""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Browser:
    """Commands to Chromium and its answers: JSON, with a zero byte after each."""

    def __init__(self, program, profile, log):
        their_input, self.output = os.pipe()
        self.input, their_output = os.pipe()
        # The protocol's pipes are descriptors 3 and 4 of the browser. A session of its own, so that its helpers end with it.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{their_input} 4>&{their_output}', program, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--mute-audio",
             "--window-size=1000,1100", f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=[their_input, their_output], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        os.close(their_input)
        os.close(their_output)
        self.buffer = b""
        self.number = 0
        self.exceptions = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.ask("Runtime.enable")
        self.ask("Page.enable")

    session = None  # Of the page; until it is known, commands are for the browser.

    def ask(self, method, **parameters):
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        os.write(self.output, json.dumps(command).encode() + b"\0")
        end = time.monotonic() + 30
        while True:
            message, self.buffer = self._message(end)
            if message.get("method") == "Runtime.exceptionThrown":
                self.exceptions.append(message["params"]["exceptionDetails"].get("exception", {}).get("description", "an exception"))
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def _message(self, end):
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError("the browser does not answer")
            data = os.read(self.input, 65536)
            if not data:
                raise RuntimeError("the browser has ended")
            self.buffer += data
        message, _, rest = self.buffer.partition(b"\0")
        return json.loads(message), rest

    def value(self, expression):
        return json.loads(self.ask("Runtime.evaluate", expression=f"JSON.stringify({expression})")["result"]["value"])

    def close(self):
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


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
            with open(f"{folder}/spectator.png", "wb") as file:
                file.write(base64.b64decode(browser.ask("Page.captureScreenshot")["data"]))
        if not shown and now - begin > max(20, seconds / 2):
            raise RuntimeError(f"there is no live view: {seen}")
        if now - begin > seconds + 60:
            raise RuntimeError(f"the live view does not end: {seen}")
        time.sleep(0.2)
    return {"match": shown["match"], "total": shown["total"], "points": {row[0]: int(row[2]) for row in shown["rows"]}, "views": views, "longestSilence": round(silence, 2), "colours": colours}


def main():
    url, seconds, folder = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    # The browser ends also if this does not end by itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    program = shutil.which("chromium") or sys.exit("There is no chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, open(f"{folder}/chromium.log", "wb") as log:
        browser = Browser(program, profile, log)
        try:
            found = watch(browser, url, seconds, folder)
        finally:
            browser.close()
    with open(f"{folder}/spectator.json", "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
