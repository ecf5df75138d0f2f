# SPDX-License-Identifier: Apache-2.0
# talk: an independent WebSocket client (Python's websockets) and a running SkirmishOnline.
# Usage: talk.py PORT

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request

import websockets

port = int(sys.argv[1])
live = f"ws://127.0.0.1:{port}/live"


async def states(socket, count):
    found = [json.loads(await asyncio.wait_for(socket.recv(), 20)) for _ in range(count)]
    steps = [state["step"] for state in found]
    assert steps == sorted(set(steps)), f"steps do not rise: {steps}"
    return found


async def orders_move_the_ship():
    async with websockets.connect(live) as socket:
        before = (await states(socket, 1))[0]["ships"][0]
        # Away from where it is, so that the wall is not in the way.
        direction = 1 if before["x"] < 480 else -1
        await socket.send(json.dumps({"x": direction, "fires": True}))
        # On a busy machine the order may take some states to arrive.
        for _ in range(10):
            after = (await states(socket, 12))[-1]["ships"][0]
            if direction * (after["x"] - before["x"]) > 30:
                break
        assert direction * (after["x"] - before["x"]) > 30, f"{before} did not move: {after}"


async def a_wrong_order_is_answered():
    async with websockets.connect(live) as socket:
        for wrong in ["nonsense", '{"x": "left"}', "x" * 20_000]:
            await socket.send(wrong)
            while "error" not in json.loads(await asyncio.wait_for(socket.recv(), 20)):
                pass


async def pings_are_answered():
    async with websockets.connect(live) as socket:
        for size in [0, 1, 125]:
            await asyncio.wait_for(await socket.ping(b"p" * size), 20)


async def twenty_look_on():
    async def look():
        async with websockets.connect(live) as socket:
            return await states(socket, 20)

    assert len(await asyncio.gather(*(look() for _ in range(20)))) == 20


async def some_vanish():
    for _ in range(10):
        socket = await websockets.connect(live)
        await states(socket, 1)
        socket.transport.abort()


def http():
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=20) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        state = json.load(answer)
        assert len(state["ships"]) == 4, state
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/order", data=b"nonsense", timeout=20)
        raise AssertionError("a wrong order was taken")
    except urllib.error.HTTPError as error:
        assert error.code == 400, error


async def main():
    http()
    for check in [orders_move_the_ship, a_wrong_order_is_answered, pings_are_answered, twenty_look_on, some_vanish]:
        await check()
        print("-", check.__name__.replace("_", " "))
    http()


asyncio.run(main())
