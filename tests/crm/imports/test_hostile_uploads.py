"""What a browser or a robot may send to the upload: too much, odd names, many kinds of nothing."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from waitress.server import create_server

from tests.crm.imports.test_pages import Upload, latest, stored, upload

__all__ = ["upload"]
GIGABYTE = 1024**3
ENOUGH = 50 * 1024 * 1024


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    """The web server as the program runs it."""
    server = create_server(
        app, host="127.0.0.1", port=0, max_request_body_size=app.config["MAX_CONTENT_LENGTH"]
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()
    thread.join(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_web_server_refuses_a_gigabyte_while_it_is_still_sent(port: int) -> None:
    sent, chunk = 0, bytes(256 * 1024)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        head = f"POST /imports HTTP/1.1\r\nHost: x\r\nContent-Length: {GIGABYTE}\r\n\r\n"
        connection.sendall(head.encode())
        connection.settimeout(0.05)
        answer, deadline = b"", time.monotonic() + 20
        while not answer and sent < ENOUGH and time.monotonic() < deadline:
            try:
                sent += connection.send(chunk)
                answer = connection.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                break
    assert b" 413 " in answer.split(b"\r\n")[0]
    assert sent < ENOUGH


@pytest.mark.parametrize(
    "name",
    [
        "list.csv\x00.exe", "..\\..\\list.csv", "/etc/passwd.csv", "a" * 500 + ".csv",
        "\u202evsc.csv",
        "<script>.csv", "'; drop table alumnus; --.csv", "{{ 7*7 }}.csv", "%2e%2e%2flist.csv",
        "CON.csv", " .csv", "list.CSV", "列表.csv", "list.csv.", "", ".csv", "list",
    ],
)  # fmt: skip
def test_an_odd_name_is_kept_harmless_or_refused(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, name: str
) -> None:
    for path in stored(app):
        path.unlink()
    answer = upload(b"ID,Name\n1,Ada Mensah\n", name)
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        run = latest(session)
        assert "/" not in run.filename
        assert len(run.filename) <= 200
        page = coordinator.get(f"/imports/{run.id}")
        assert page.status_code == 200
        assert "<script>." not in page.text
        assert "49" not in page.text.split("<h1>")[1].split("</h1>")[0]
        (kept,) = stored(app)
        assert kept.stem.isalnum()
    else:
        assert stored(app) == []


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b",,,,\n", b'"', b'""\n""', b"sep=,\n", b"\x1a", b"ID",
        b"Name\n" + b"\x80" * 10_000, "Name\n\ud7ff\ufffe\n".encode(), b"Name\r\r\r\r",
        b"Name," * 900 + b"\n", b"Name\n" + b'"a""' * 5_000, b"PH3", b"PH3,1\nPT3,2\n",
        b"PK\x05\x06",
        b"\x1f\x8b\x08", b"{\\rtf1}", b"From: x\n\nbody", b"Name\n=1+1\n",
        b"Name;\tName|Name\n1;2|3\n",
    ],
)  # fmt: skip
def test_odd_contents_never_break_the_server_nor_fill_its_memory(
    app: Flask, coordinator: FlaskClient, session: Session, upload: Upload, content: bytes
) -> None:
    tracemalloc.start()
    for name in ("list.csv", "list.tsv", "list.xlsx", "list.zip"):
        answer = upload(content, name)
        assert answer.status_code in (303, 422)
        if answer.status_code == 303:
            run = latest(session)
            assert coordinator.get(f"/imports/{run.id}").status_code == 200
            assert coordinator.post(f"/imports/{run.id}/cancel").status_code == 303
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024 * 1024
