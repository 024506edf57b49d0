"""Two workers and two clocks, each a process with a folder of its own, through a year of mail."""

from __future__ import annotations

import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from crm.core.database import db
from crm.core.errors import NotFound
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_message
from crm.mail.settle import How, settle
from lifecycle.journeys import service
from tests.lifecycle.engine.conftest import PEOPLE, District
from tests.lifecycle.engine.conftest import district as district

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2024, 9, 16, 15, 0, tzinfo=UTC)
THEN, LATER = START + timedelta(days=110), START + timedelta(days=400)
NUMBER = 60
JOURNEYS = (80, 50, 20)
"""Journeys by the priority of their letters."""
LETTERS = 4
ONCE = (90, 60, 30)
"""Priorities of three letters that everybody is to get at one moment."""
KILLED_AT = (30, 250, 500)
"""With so many mails handed over, a worker dies."""
TOO_LONG = 240
JOURNEY = """\
journey: p{priority}
name: Priority {priority}
serves: Connect early
enter: phase:new_graduate
steps:
  - {{id: s1, send: p{priority}s1, topic: news, priority: {priority}, expires: 600d}}
  - {{id: w1, wait: 60d}}
  - {{id: s2, send: p{priority}s2, topic: news, priority: {priority}, expires: 600d}}
  - {{id: w2, wait: 100d}}
  - {{id: s3, send: p{priority}s3, topic: news, priority: {priority}, expires: 600d}}
  - {{id: w3, wait: 180d}}
  - {{id: s4, send: p{priority}s4, topic: news, priority: {priority}, expires: 600d}}
  - {{id: done, exit: done}}
"""
STEPS = 2 * LETTERS
ADDRESSES = """insert into contact_point
  (alumnus_id, kind, value, key, owner, status, preferred, source, created_at, updated_at)
  select id, 'email', 'p' || id || '@mail.example', 'p' || id || '@mail.example', 'own', 'ok',
    true, 'import', '2024-01-01Z', '2024-01-01Z' from alumnus"""
DUE = """select (select count(*) from enrollment where state = 'waiting' and wake_at <= :at)
  + (select count(*) from message where state = 'queued' and not_before <= :at)
  + (select count(*) from alumnus_change)"""
SKIPPED = "select origin, reason, ended_at from message where state = 'skipped'"
TOO_MANY = """select count(*) from message m where m.state = 'accepted' and 2 < (
  select count(*) from message o where o.alumnus_id = m.alumnus_id and o.state = 'accepted'
    and o.accepted_at > m.accepted_at - interval '7 days' and o.accepted_at <= m.accepted_at)"""
NEXT = """select least((select min(wake_at) from enrollment where state = 'waiting'),
  (select min(not_before) from message where state = 'queued'),
  (select min(claimed_at) + interval '20 minutes' from message where state = 'claimed'))"""


@dataclass
class MailServer:
    """Takes mail by SMTP and remembers (address, subject) in the order of coming."""

    seen: list[tuple[str, str]] = field(default_factory=list)
    kills: dict[int, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, address: str, subject: str) -> None:
        with self.lock:
            self.seen.append((address, subject))
            kill = self.kills.pop(len(self.seen), None)
        if kill is not None:
            kill()


class Talk(socketserver.StreamRequestHandler):
    """One client's mails; commands may come together."""

    def handle(self) -> None:
        server: MailServer = self.server.mail  # type: ignore[attr-defined]
        self.wfile.write(b"220 ready\r\n")
        address = ""
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                body = b""
                while (more := self.rfile.readline()) not in {b".\r\n", b""}:
                    body += more
                subject = re.search(rb"^Subject: (.*?)\r$", body, re.MULTILINE)
                assert subject is not None
                server.took(address, subject[1].decode())
                time.sleep(0.005)
            if verb == b"RCPT":
                address = line.decode().partition("<")[2].partition(">")[0]
            known = {b"EHLO": b"250-mail\r\n250 PIPELINING\r\n", b"QUIT": b"221 bye\r\n"}
            self.wfile.write(known.get(verb, b"250 ok\r\n"))
            if verb == b"QUIT":
                return


@pytest.fixture
def mail_server() -> Iterator[tuple[MailServer, str]]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that was killed says nothing more."""

    with Server(("127.0.0.1", 0), Talk) as server:
        server.mail = MailServer()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.mail, f"smtp://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
        server.shutdown()


@dataclass
class Machines:
    """The processes, by name; each name has a folder of its own."""

    folder: Path
    arguments: list[str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        part = name.partition("-")[0]
        url, server = self.arguments
        command = [sys.executable, "-m", "tests.machines.machine", part, url]
        command += [str(self.folder / name), server, str(self.folder / "time")]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def tell(self, moment: datetime) -> None:
        """Set the time everywhere at once."""
        new = self.folder / "time.new"
        new.write_text(moment.isoformat())
        new.rename(self.folder / "time")

    def kill(self, name: str) -> None:
        os.kill(self.running[name].pid, signal.SIGKILL)

    def revive(self) -> int:
        """Start again what died; answers how many did."""
        dead = [name for name, process in self.running.items() if process.poll() is not None]
        assert all(self.running[name].returncode == -signal.SIGKILL for name in dead), dead
        for name in dead:
            self.start(name)
        return len(dead)

    def end(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


@pytest.fixture
def machines(
    district: District, tmp_path: Path, mail_server: tuple[MailServer, str]
) -> Iterator[Machines]:
    url = district.url.set(drivername="postgresql").render_as_string(hide_password=False)
    made = Machines(tmp_path, [url, mail_server[1]])
    made.tell(START)
    yield made
    made.end()


def fill(district: District) -> None:
    with district.app.app_context():
        session = db.session()
        for priority in JOURNEYS:
            for letter in range(1, LETTERS + 1):
                variants = {"en": Variant(f"{priority}/{letter}", "", "A line.")}
                save_content(
                    session, key=f"p{priority}s{letter}", name="Letter", topic_key="news",
                    variants=variants, by=SYSTEM, at=START,
                )  # fmt: skip
            source = JOURNEY.format(priority=priority)
            service.publish(session, source, name="x.yaml", by=SYSTEM, at=START)
        graduated = PEOPLE.replace("2026, '2026-06-01'", "2024, '2024-06-01'")
        session.execute(text(graduated), {"number": NUMBER})
        session.execute(text(ADDRESSES))
        session.commit()


def three_at_once(district: District) -> None:
    """Three letters to everybody, decided in one transaction."""
    with district.app.app_context():
        session = db.session()
        for priority in ONCE:
            variants = {"en": Variant(f"{priority}/0", "", "A line.")}
            version = save_content(
                session, key=f"once{priority}", name="Letter", topic_key="news",
                variants=variants, by=SYSTEM, at=START,
            )  # fmt: skip
            for person in range(1, NUMBER + 1):
                queue_message(
                    session, key=f"once:{priority}:{person}", alumnus_id=person,
                    version_id=version.id, message_class=MessageClass.MARKETING,
                    topic_key="news", origin=f"letter:once{priority}", at=THEN,
                    priority=priority, expires_at=LATER + timedelta(days=200),
                )  # fmt: skip
        session.commit()


def onwards(district: District, machines: Machines, moment: datetime, *, asked: bool) -> int:
    """Set the time to whatever is due next, until nothing is; answers how many processes died."""
    machines.tell(moment)
    died = 0
    while True:
        patience = time.monotonic() + TOO_LONG
        while district.value(DUE, at=moment) or not district.value(
            "select count(*) from enrollment"
        ):
            died += machines.revive()
            assert time.monotonic() < patience, (moment, machines.folder)
            time.sleep(0.1)
        handed_over(district)
        following = district.value(NEXT)
        assert following is None or isinstance(following, datetime)
        if not asked and (following is None or following > THEN):
            three_at_once(district)
            asked, following = True, THEN
        if following is None:
            return died + machines.revive()
        moment = max(following, moment + timedelta(minutes=1))
        machines.tell(moment)


def handed_over(district: District) -> None:
    """Wait until no mail is on the wire; what a dead worker had in hand stays claimed."""
    patience = time.monotonic() + 10
    while district.value("select count(*) from message where state = 'claimed'"):
        if time.monotonic() > patience:
            return
        time.sleep(0.1)


def settled_by_hand(district: District, server: MailServer) -> int:
    """What a person does with mail in doubt: look into the server's log, and say so."""
    doubt = district.rows(
        "select m.id, m.to_address, v.subject from message m join content_variant v "
        "on v.version_id = m.version_id where m.state = 'uncertain'"
    )
    for name, address, subject in doubt:
        how = How.SENT if (address, subject) in server.seen else How.AGAIN
        while not settled(district, how, str(name)):
            time.sleep(0.1)  # a worker looks at it just now
    return len(doubt)


def settled(district: District, how: How, name: str) -> bool:
    with district.app.app_context():
        try:
            settle(db.session(), how, name=name, by=SYSTEM, at=LATER)
        except NotFound:
            return False
        db.session.commit()
        return True


@pytest.mark.kill
@pytest.mark.slow
def test_two_machines_and_a_killed_one_do_a_year_of_mail_once(
    district: District, machines: Machines, mail_server: tuple[MailServer, str]
) -> None:
    server, _ = mail_server
    fill(district)
    victims = ("worker-1", "worker-2", "worker-1")
    server.kills = {
        n: lambda name=name: machines.kill(name)
        for n, name in zip(KILLED_AT, victims, strict=True)
    }  # fmt: skip
    for name in ("worker-1", "worker-2", "clock-1", "clock-2"):
        machines.start(name)
    died = onwards(district, machines, START, asked=False)
    assert died == len(KILLED_AT)
    # Nothing is lost: every step ran once for everybody, and decided its letter.
    everybody = NUMBER * len(JOURNEYS)
    assert district.value("select count(*) from enrollment where state = 'ended'") == everybody
    assert district.value("select count(*) from step_run") == everybody * STEPS
    assert district.value("select count(*) from message") == len(expected())
    states = {
        str(state): n
        for state, n in district.rows("select state, count(*) from message group by 1")
    }
    assert states.keys() <= {"accepted", "uncertain"}, district.rows(SKIPPED)
    # Nothing is doubled, and what is in doubt is told and not guessed about.
    assert max(Counter(server.seen).values()) == 1
    accepted = district.rows(
        "select m.to_address, v.subject from message m join content_variant v "
        "on v.version_id = m.version_id where m.state = 'accepted'"
    )
    assert set(accepted) <= set(server.seen)
    assert district.value(TOO_MANY) == 0
    in_order(server)
    assert settled_by_hand(district, server) == states.get("uncertain", 0)
    onwards(district, machines, LATER, asked=True)
    assert sorted(server.seen) == sorted(expected())


def expected() -> list[tuple[str, str]]:
    subjects = [f"{whose}/{n}" for whose in JOURNEYS for n in range(1, LETTERS + 1)]
    subjects += [f"{priority}/0" for priority in ONCE]
    return [(f"p{n}@mail.example", one) for n in range(1, NUMBER + 1) for one in subjects]


def in_order(server: MailServer) -> None:
    """Of three letters decided at once the budget lets two go: the two that matter more.

    And the letters of each journey come to everybody in the order of its steps.
    """
    by_person: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for address, subject in server.seen:
        whose, letter = map(int, subject.split("/"))
        by_person[address].append((whose, letter))
    assert len(by_person) == NUMBER
    for came in by_person.values():
        for priority in JOURNEYS:
            letters = [letter for whose, letter in came if whose == priority]
            assert letters == sorted(letters)
        assert min(ONCE) not in [whose for whose, letter in came if letter == 0][:-1]
