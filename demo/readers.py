"""What the readers of the demo's mails do, told to the program as the provider and the links would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.interactions.models import Mode
from crm.interactions.service import record_many
from crm.links import tokens
from crm.mail import events, webhook
from crm.mail.models import Message, MessageState
from crm.portal import service as portal
from crm.portal.wishes import Wish
from demo.people import FIELDS, Person
from demo.truth import address_works, chance_of_click, chance_of_offer

BROWSER = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Mobile"
SCANNER = "BarracudaSentinel (EE)"
LEAVES_TOPIC, LEAVES_ALL, COMPLAINS = 0.004, 0.001, 0.0003
Telling = dict[str, Any]


@dataclass(frozen=True)
class Read:
    """One mail that arrived: whose, about what, when."""

    message_id: UUID
    alumnus_id: int
    person: Person
    origin: str
    topic_key: str | None
    address: str
    attempt: int
    accepted_at: datetime

    @property
    def wants_profile(self) -> bool:
        """Whether the mail asks to look at one's own page."""
        return self.origin.startswith("journey:") or self.topic_key == "volunteering"


@dataclass(frozen=True)
class Reactions:
    """What the readers of some mails did: events for the webhook, and acts by link."""

    told: list[Telling]
    clicked: list[Read]
    left: list[tuple[Read, bool]]
    replied: list[Read]


def mails_since(
    session: Session, people: Mapping[int, Person], since: datetime, until: datetime
) -> list[Read]:
    """The mails to alumni that the transport took in [since, until), by id."""
    statement = (
        select(
            Message.id, Message.alumnus_id, Message.origin, Message.topic_key, Message.to_address,
            Message.attempt, Message.accepted_at,
        )
        .where(
            Message.state == MessageState.ACCEPTED, Message.alumnus_id.is_not(None),
            Message.accepted_at >= since, Message.accepted_at < until,
        )
        .order_by(Message.id)
    )  # fmt: skip
    found = []
    for message_id, alumnus_id, origin, topic, address, attempt, accepted in session.execute(
        statement
    ):
        if alumnus_id is not None and alumnus_id in people and accepted is not None:
            person = people[alumnus_id]
            found.append(
                Read(
                    message_id, alumnus_id, person, origin, topic, address or "", attempt, accepted
                )
            )
    return found


def react(random: Random, mails: list[Read]) -> Reactions:
    """Draw what becomes of each mail, by the model of `docs/demo-data.md`."""
    reactions = Reactions([], [], [], [])
    for mail in mails:
        person = mail.person
        if not address_works(person, mail.accepted_at.date()):
            reactions.told.append(_event(mail, "bounce", seconds=40, reason="550 no such mailbox"))
            continue
        reactions.told.append(_event(mail, "delivered", seconds=8))
        if person.scanned:
            reactions.told.append(
                _event(mail, "click", seconds=11, useragent=SCANNER, url="https://x.example/")
            )
        draw = random.random()
        if draw < COMPLAINS and not person.silent:
            reactions.told.append(_event(mail, "spamreport", seconds=9_000))
        elif draw < COMPLAINS + LEAVES_ALL + LEAVES_TOPIC and not person.silent:
            reactions.left.append((mail, draw < COMPLAINS + LEAVES_ALL))
        else:
            _click(random, mail, reactions)
    return reactions


def _click(random: Random, mail: Read, reactions: Reactions) -> None:
    chance = chance_of_click(mail.person, profile=mail.wants_profile)
    if random.random() < chance:
        seconds = int(random.expovariate(1 / 40_000)) + 900
        told = _event(mail, "click", seconds=seconds, useragent=BROWSER, url="https://x.example/me")
        reactions.told.append(told)
        reactions.clicked.append(mail)
    if random.random() < 0.15 * chance:
        reactions.replied.append(mail)


def _event(mail: Read, kind: str, *, seconds: int, **more: str) -> Telling:
    moment = int((mail.accepted_at + timedelta(seconds=seconds)).timestamp())
    return {
        "event": kind, "timestamp": moment, "email": mail.address, "attempt": str(mail.attempt),
        "message_id": str(mail.message_id), "origin": mail.origin,
        "sg_event_id": f"{mail.message_id}-{kind}-{moment}", **more,
    }  # fmt: skip


def tell(session: Session, told: list[Telling], *, at: datetime) -> None:
    """Hand events in as the webhook would, a thousand at a time."""
    due = [event for event in told if event["timestamp"] <= at.timestamp()]
    for start in range(0, len(due), 1000):
        body = json.dumps(due[start : start + 1000]).encode()
        events.take_in(session, webhook.parse(body), at=at)


def _claim(mail: Read, purpose: str, at: datetime) -> tokens.Claim:
    return tokens.Claim(
        purpose=purpose, alumnus_id=mail.alumnus_id, epoch=0, issued_at=mail.accepted_at,
        expires_at=at + timedelta(days=30), message_id=mail.message_id,
    )  # fmt: skip


def save_profiles(
    session: Session, random: Random, clicked: list[Read], *, at: datetime
) -> Iterator[Read]:
    """Those who opened their own page and saved it, most of them offering what they like to do."""
    mails = [m for m in clicked if m.wants_profile and random.random() < 0.75]
    people = select(Alumnus).where(Alumnus.id.in_([m.alumnus_id for m in mails]))
    rows = {alumnus.id: alumnus for alumnus in session.scalars(people)}
    for mail in mails:
        person, alumnus = mail.person, rows[mail.alumnus_id]
        offers = random.random() < chance_of_offer(person)
        profile = {"city": person.city}
        if person.field:
            profile |= {
                "job_title": person.job,
                "employer": person.employer,
                "field_of_work": person.field,
            }
        wish = Wish(
            profile=profile,
            ways=frozenset({person.favourite_way}) if offers else None,
            subjects=frozenset({FIELDS[person.field][1]}) if person.field else None,
        )
        portal.save(session, alumnus, wish, claim=_claim(mail, "profile", at), at=at)
        if offers:
            yield mail


def leave(session: Session, left: list[tuple[Read, bool]], *, at: datetime) -> None:
    """Those who left a topic, or everything, through the link of a mail."""
    for mail, everything in left:
        topic = None if everything else mail.topic_key
        portal.leave(session, mail.alumnus_id, topic, claim=_claim(mail, "unsubscribe", at), at=at)


def reply(session: Session, replied: list[Read], *, at: datetime) -> None:
    """Those who wrote back."""
    rows = [
        {
            "alumnus_id": mail.alumnus_id, "occurred_at": at - timedelta(days=2), "kind": "replied",
            "mode": Mode.COMMUNICATION, "dedupe_key": f"replied:{mail.message_id}",
            "origin": mail.origin,
        }
        for mail in replied
    ]  # fmt: skip
    if rows:
        record_many(session, rows)
