"""Claiming and recording without a provider, and the provider's posts taken in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import text

from benchmarks.figures import Figure
from benchmarks.work import alone, spent
from crm.core.database import db
from crm.mail import events
from crm.mail.delivery import DeliveryReport
from crm.mail.webhook import parse
from lifecycle.rehearsal.days import Nowhere, Unwritten

CLAIM_GOAL, INTAKE_GOAL = 0.4, 0.3
SIZE, TIMES, MOST = 1_000, 3, 100_000
FLOOR = (
    """create table floor_outbox (like message including all);
       alter table floor_outbox set (fillfactor = 70);
       alter table floor_outbox add foreign key (alumnus_id) references alumnus,
         add foreign key (version_id) references content_version""",
    "create table floor_attempt (like send_attempt including all)",
    "insert into floor_outbox select * from message where state = 'queued'",
    "create table floor_event (like delivery_event including all)",
)
CLAIM = """with next as (select id from floor_outbox where state = 'queued' and not_before <= :at
    order by not_before, id limit :size for update skip locked),
  taken as (update floor_outbox m set state = 'claimed', attempt = attempt + 1, batch_id = :name,
    claimed_at = :at, language = 'en', to_address = 'p' || alumnus_id || '@mail.example'
    from next where m.id = next.id returning m.id, m.attempt)
  insert into floor_attempt (message_id, attempt, batch_id, at, result)
    select id, attempt, :name, :at, 'handed over' from taken"""
RECORD = """update floor_outbox set state = 'accepted', accepted_at = :at
    where batch_id = :name and state = 'claimed'"""
SENT = """select id, to_address from message where state = 'accepted' order by id limit :most"""


def claim_and_record(app: Flask, at: datetime) -> list[Figure]:
    """What is queued decided about, claimed and recorded, against two bare updates a batch."""
    alone()
    for statement in FLOOR:
        _run(statement)
    report = DeliveryReport()
    run = Unwritten(db.session(), Nowhere(), at, report, app)
    ours = spent(lambda: _until_dry(run.round))
    floor = spent(lambda: _bare(report.accepted, at))
    rates = (report.accepted / ours * 1000, report.accepted / floor * 1000)
    note = f"{SIZE:,} a batch, no letter written; floor: one claiming and one recording statement"
    return [
        Figure(
            "delivery", "claim and record", report.accepted, "msg/s", *rates, CLAIM_GOAL,
            at_least=True, note=note,
        )
    ]  # fmt: skip


def _until_dry(work: Callable[[], int]) -> None:
    while work():
        pass


def _run(statement: str, **values: object) -> None:
    with db.engine.begin() as connection:
        connection.execute(text(statement), values)


def _bare(number: int, at: datetime) -> None:
    for batch in range(-(-number // SIZE)):
        named = {"at": at, "name": f"floor-{batch}"}
        _run(CLAIM, **named, size=SIZE)
        _run(RECORD, **named)


def intake(at: datetime) -> list[Figure]:
    """Signed posts of a thousand events, each told three times, against `COPY` of as many rows."""
    session = db.session()
    told = [
        {"event": "delivered", "timestamp": int(at.timestamp()) + 60, "email": row.to_address,
         "message_id": str(row.id), "attempt": "1", "sg_event_id": f"e{n}", "smtp-id": f"<{n}@x>",
         "response": "250 OK"}
        for n, row in enumerate(session.execute(text(SENT), {"most": MOST}))
    ]  # fmt: skip
    session.commit()
    posts = [
        json.dumps(told[first : first + SIZE]).encode()
        for first in range(0, len(told), SIZE) for _ in range(TIMES)
    ]  # fmt: skip
    later = at + timedelta(minutes=5)

    def ours() -> None:
        for post in posts:
            events.take_in(session, parse(post), at=later)
            session.commit()

    took = spent(ours)
    batches = _rows(posts, later)
    floor = spent(lambda: _copy(batches))
    number = len(told) * TIMES
    note = "1,000 a post, each told three times; floor: COPY of as many rows, same indices"
    rates = (number / took * 1000, number / floor * 1000)
    return [
        Figure(
            "delivery", "webhook intake", number, "events/s", *rates, INTAKE_GOAL, at_least=True,
            note=note,
        )
    ]  # fmt: skip


Row = tuple[object, ...]


def _rows(posts: list[bytes], at: datetime) -> list[list[Row]]:
    """What is copied: the events as rows, each under a key of its own."""
    return [
        [
            (f"{event.dedupe_key}:{number}", event.message_id, event.attempt, event.kind, event.at,
             event.machine, json.dumps(event.payload), at)
            for event in parse(post)
        ]
        for number, post in enumerate(posts)
    ]  # fmt: skip


def _copy(batches: list[list[Row]]) -> None:
    """Copy them, a post a transaction."""
    columns = "(dedupe_key, message_id, attempt, kind, at, machine, payload, received_at)"
    for rows in batches:
        with db.engine.begin() as connection:
            raw = connection.connection.cursor()
            with raw.copy(f"copy floor_event {columns} from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
