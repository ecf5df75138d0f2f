# SPDX-License-Identifier: Apache-2.0
# Sends garbage to a port of this machine: flood.py PORT PACKETS_PER_SECOND SECONDS [FILE]. A third is noise, a third looks like the game's own, a third
# is empty or long. Into the file goes what the sending used of a processor in 99 of 100 frames of 60 a second, in milliseconds: the receiver's peer.
import random
import socket
import sys
import time

port, rate, seconds = (int(argument) for argument in sys.argv[1:4])
chance = random.Random(1)
kinds = [chance.randbytes(chance.randint(4, 300)) for _ in range(100)]
kinds += [b"SK\x01" + bytes([chance.randint(0, 9)]) + chance.randbytes(chance.randint(0, 200)) for _ in range(100)]
kinds += [b"", chance.randbytes(1400)] * 50
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.connect(("127.0.0.1", port))
begin = time.monotonic()
sent = 0
used = []
frame_end, used_before = 1 / 60, time.thread_time()
while (now := time.monotonic() - begin) < seconds:
    for _ in range(max(0, min(500, int(now * rate) - sent))):
        try:
            line.send(kinds[sent % len(kinds)])
        except ConnectionRefusedError:
            pass
        sent += 1
    if now > frame_end:
        used.append((time.thread_time() - used_before) * 1e3)
        frame_end, used_before = now + 1 / 60, time.thread_time()
    time.sleep(0.001)
print(f"{sent} datagrams in {seconds} s")
if len(sys.argv) > 4:
    with open(sys.argv[4], "w") as file:
        print(f"{sorted(used)[len(used) * 99 // 100]:.3f}", file=file)
