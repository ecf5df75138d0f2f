# SPDX-License-Identifier: Apache-2.0
"""A real browser, headless, for the checks that look at a page as somebody in front of it does.

It is told what to do through a pair of pipes in Chromium's DevTools protocol, so that it opens no port. Its profile is a folder that goes with it."""

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


@contextlib.contextmanager
def opened(folder, *options):
    """A browser that ends with the block, also by SIGTERM; what Chromium says is in FOLDER/chromium.log."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    program = shutil.which("chromium") or sys.exit("There is no chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, open(f"{folder}/chromium.log", "wb") as log:
        browser = Browser(program, profile, log, options)
        try:
            yield browser
        finally:
            browser.close()


class Browser:
    """Commands to Chromium and its answers: JSON, with a zero byte after each."""

    def __init__(self, program, profile, log, options):
        their_input, self.output = os.pipe()
        self.input, their_output = os.pipe()
        # The protocol's pipes are descriptors 3 and 4 of the browser. A session of its own, so that its helpers end with it.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{their_input} 4>&{their_output}', program, "--headless=new", "--no-sandbox",
             "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--mute-audio",
             "--window-size=1000,1100", f"--user-data-dir={profile}", "--remote-debugging-pipe", *options, "about:blank"],
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

    def picture(self, path, **parameters):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("Page.captureScreenshot", **parameters)["data"]))

    def close(self):
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
