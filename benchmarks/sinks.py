"""Servers that take mail as fast as they can, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

END = b"\r\n.\r\n"


@contextmanager
def sink(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server on this machine that talks to each client so; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    process = multiprocessing.get_context("fork").Process(
        target=_serve, args=(listener, talk), daemon=True
    )
    process.start()
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield port
    finally:
        process.kill()
        process.join()


def _serve(listener: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=talk, args=(client,), daemon=True).start()


def smtp(client: socket.socket) -> None:
    """Say yes to everything and forget it; takes commands together, as mail servers do."""
    client.sendall(b"220 sink\r\n")
    waiting = b""
    while chunk := client.recv(1 << 16):
        waiting += chunk
        while b"\r\n" in waiting:
            line, _, waiting = waiting.partition(b"\r\n")
            verb = line[:4].upper()
            if verb == b"DATA":
                client.sendall(b"354 go on\r\n")
                while END not in waiting:
                    waiting += client.recv(1 << 16)
                waiting = waiting.partition(END)[2]
            elif verb == b"QUIT":
                client.sendall(b"221 bye\r\n")
                client.close()
                return
            client.sendall(b"250-sink\r\n250 PIPELINING\r\n" if verb == b"EHLO" else b"250 ok\r\n")


def http(client: socket.socket) -> None:
    """Accept every request; a name for a batch is in each answer."""
    body = b'{"batch_id": "batch-00000001"}'
    answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    waiting = b""
    while chunk := client.recv(1 << 20):
        waiting += chunk
        while b"\r\n\r\n" in waiting:
            head, _, rest = waiting.partition(b"\r\n\r\n")
            length = _length(head)
            parts = [rest]
            got = len(rest)
            while got < length:
                more = client.recv(1 << 20)
                parts.append(more)
                got += len(more)
            waiting = b"".join(parts)[length:]
            client.sendall(answer)
    client.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
