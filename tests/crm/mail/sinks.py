"""The outside edge: a mail provider and a mail server on this machine, which keep what they get."""

from __future__ import annotations

import json
import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

FORBIDDEN_HEADERS = {
    "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "to", "from", "subject",
    "content-transfer-encoding", "reply-to", "cc", "bcc",
}  # fmt: skip
TOP_LEVEL = {
    "personalizations", "from", "reply_to", "subject", "content", "attachments", "headers",
    "categories", "custom_args", "send_at", "batch_id", "asm", "mail_settings",
    "tracking_settings",
}  # fmt: skip
PERSONAL = {
    "to",
    "cc",
    "bcc",
    "subject",
    "headers",
    "substitutions",
    "custom_args",
    "send_at",
    "from",
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def faults(body: dict[str, Any]) -> list[str]:
    """What the published rules of POST /v3/mail/send say against a request."""
    found = [f"unknown {key}" for key in body.keys() - TOP_LEVEL]
    people = body.get("personalizations", [])
    if not 1 <= len(people) <= 1_000:
        found.append("personalizations must be 1 to 1000")
    if not EMAIL.fullmatch(body.get("from", {}).get("email", "")):
        found.append("from")
    kinds = [part["type"] for part in body.get("content", [])]
    if kinds != ["text/plain", "text/html"] or not all(p["value"] for p in body["content"]):
        found.append(f"content {kinds}")
    if not body.get("subject"):
        found.append("subject")
    if "batch_id" in body and not re.fullmatch(r"[A-Za-z0-9-]{10,}", body["batch_id"]):
        found.append("batch_id")
    addresses = [person["to"][0]["email"] for person in people]
    if len(set(addresses)) != len(addresses):
        found.append("an address is repeated")
    return found + [fault for person in people for fault in _personal_faults(person)]


def _personal_faults(person: dict[str, Any]) -> Iterator[str]:
    yield from (f"unknown {key}" for key in person.keys() - PERSONAL)
    if len(person["to"]) != 1 or not EMAIL.fullmatch(person["to"][0]["email"]):
        yield f"to {person['to']}"
    if not person["to"][0]["email"].isascii():
        yield "an address with other than ASCII characters"
    for name in ("substitutions", "custom_args"):
        values = person.get(name, {})
        if not all(isinstance(v, str) for v in values.values()):
            yield f"{name} must be text"
        if sum(len(f"{k}{v}".encode()) for k, v in values.items()) > 10_000:
            yield f"{name} are too large"
    if {h.lower() for h in person.get("headers", {})} & FORBIDDEN_HEADERS:
        yield "a header that may not be set"


@dataclass
class Provider:
    """A fake SendGrid. `plan` may answer the next requests by a status, or `drop` the connection.

    A plan entry is a status, `"drop"` (answer nothing, accept nothing) or `"lost"` (accept, then
    drop the connection).
    """

    plan: list[Any] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)
    requests: list[dict[str, Any]] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    batches: int = 0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def sent(self) -> list[str]:
        """The message ids that will reach somebody: accepted and not cancelled."""
        return [
            person["custom_args"]["message_id"]
            for body in self.requests
            if body.get("batch_id") not in self.cancelled
            for person in body["personalizations"]
        ]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        with self.lock:
            if path == "/v3/mail/batch":
                self.batches += 1
                return 201, {"batch_id": f"batch-{self.batches:08d}"}
            if path == "/v3/user/scheduled_sends":
                if body["batch_id"] in self.cancelled:
                    return 400, {"errors": [{"message": "already cancelled"}]}
                self.cancelled.add(body["batch_id"])
                return 201, body
            if method == "DELETE":
                return 204, None
            return self._send(body)

    def _send(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.faults += faults(body)
        step = self.plan.pop(0) if self.plan else 202
        addresses = {person["to"][0]["email"] for person in body["personalizations"]}
        if step == 202 and addresses & self.bad:
            return 400, {"errors": [{"message": "Does not contain a valid address."}]}
        if step in (202, "lost", 504):
            self.requests.append(body)
        if step in ("drop", "lost"):
            return 0, None
        return int(step), None if step == 202 else {"errors": []}


@contextmanager
def provider() -> Iterator[Provider]:
    """A fake SendGrid that listens until the block ends."""
    fake = Provider()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            raw = self.rfile.read(length)
            if self.headers["Authorization"] != "Bearer SG.test":
                fake.faults.append("authorization")
            status, body = fake.answer(self.command, self.path, json.loads(raw or b"null"))
            if status == 0:
                self.close_connection = True
                self.connection.close()
                return
            answer = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_DELETE = do_POST  # noqa: N815 - the standard library's name

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A connection that was cut on purpose is no fault."""

    with listening(Quiet(("127.0.0.1", 0), Handler)) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake


@contextmanager
def listening(server: Any) -> Iterator[int]:
    """Serve in a thread until the block ends; yields the port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailServer:
    """A tiny SMTP server. `plan` says how the next mails end: a code to answer, or a place to cut.

    `"rcpt 450"`, `"data 550"` answer so at that place; `"cut rcpt"` drops the connection before the
    mail is taken, `"cut data"` drops it after the whole mail was taken and kept. It takes several
    commands at once if `pipelining`, and asks for data that nobody may get if `lenient`.
    """

    plan: list[str] = field(default_factory=list)
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    pipelining: bool = False
    lenient: bool = False
    url: str = ""

    def messages(self) -> list[EmailMessage]:
        """The mails as a mail program reads them."""
        return [message_from_bytes(raw, policy=policy.default) for _, raw in self.mails]  # type: ignore[misc]


class SmtpHandler(socketserver.StreamRequestHandler):
    """Talks to one client."""

    sink: MailServer
    replies: ClassVar[dict[bytes, bytes]] = {
        b"HELO": b"250 here", b"MAIL": b"250 ok",
        b"RSET": b"250 ok", b"NOOP": b"250 ok",
    }  # fmt: skip

    def handle(self) -> None:
        self.sink.connections += 1
        self.say(b"220 sink")
        recipient, step = "", ""
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.say(b"221 bye")
                return
            if verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                step = self.sink.plan.pop(0) if self.sink.plan else ""
                if step == "cut rcpt":
                    return
                refused = step.startswith("rcpt")
                recipient = "" if refused else recipient
                self.say(step[5:].encode() + b" no" if refused else b"250 ok")
            elif verb == b"EHLO":
                more = b"250-PIPELINING\r\n" if self.sink.pipelining else b""
                self.say(b"250-here\r\n" + more + b"250 8BITMIME")
            elif verb == b"DATA" and not recipient and not self.sink.lenient:
                self.say(b"554 no valid recipients")
            elif verb == b"DATA":
                self.say(b"354 go on")
                if not self.take(recipient, step):
                    return
            else:
                self.say(self.replies.get(verb, b"502 what"))

    def take(self, recipient: str, step: str) -> bool:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        if not recipient and not lines:
            self.say(b"554 no valid recipients")
            return True
        if step.startswith("data"):
            self.say(step[5:].encode() + b" no")
            return True
        self.sink.mails.append((recipient, b"".join(lines)))
        if step == "cut data":
            return False
        self.say(b"250 taken")
        return True

    def say(self, text: bytes) -> None:
        self.wfile.write(text + b"\r\n")


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """An SMTP server that listens until the block ends."""
    sink = MailServer()

    class Handler(SmtpHandler):
        pass

    Handler.sink = sink

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with listening(Server(("127.0.0.1", 0), Handler)) as port:
        sink.url = f"smtp://127.0.0.1:{port}"
        yield sink
