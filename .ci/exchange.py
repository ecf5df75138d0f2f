# Sends standard input to a port of this machine and prints what comes back.
import socket
import sys
import threading

connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))


def send():
    while block := sys.stdin.buffer.read(1 << 16):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)


threading.Thread(target=send).start()
while block := connection.recv(1 << 16):
    sys.stdout.buffer.write(block)
