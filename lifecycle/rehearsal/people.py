"""Readers who do what the district's people did so far, told to the program's own intake."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.consent import service as consent
from crm.consent.models import ConsentSource
from crm.interactions.service import record_many
from crm.mail import events
from crm.mail.models import Message, MessageState
from crm.mail.webhook import Event
from lifecycle.continuum.models import Standing
from lifecycle.rehearsal.behaviour import (
    SOON,
    Chances,
    Follow,
    History,
    after,
    draws,
    own_deeds,
)

REFERENCE = "rehearsal"
AT_ONCE = timedelta(seconds=40)
LATER = timedelta(minutes=5)
"""No click comes sooner: the program would take it for a scanner's."""


@dataclass(frozen=True)
class Leaving:
    """Somebody leaves a topic through the link of a mail."""

    alumnus_id: int
    topic: str | None


@dataclass
class People:
    """The people of one run, by its seed; what they have planned lies in `plan` by moment."""

    history: History
    seed: int
    plan: list[tuple[datetime, int, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chances = Chances(self.history, self.seed)
        self.counted = count()

    def begin(self, session: Session, start: datetime, until: datetime) -> None:
        """Plan what everybody will do of themselves."""
        known: dict[str, list[int]] = defaultdict(list)
        everybody = select(Standing.stage, Standing.alumnus_id).order_by(Standing.alumnus_id)
        for stage, alumnus_id in session.execute(everybody):
            known[stage].append(alumnus_id)
        session.commit()
        random = Random(f"{self.seed}:own")
        for moment, alumnus_id, own in own_deeds(self.history, known, start, until, random):
            self._interact(moment, alumnus_id, own.kind, own.mode, "")

    def act(self, session: Session, at: datetime) -> None:
        """Tell the program what happened up to a moment."""
        told: list[Event] = []
        rows: list[Mapping[str, Any]] = []
        leaving: dict[str | None, list[int]] = defaultdict(list)
        while self.plan and self.plan[0][0] <= at:
            _, _, deed = heapq.heappop(self.plan)
            if isinstance(deed, Event):
                told.append(deed)
            elif isinstance(deed, Leaving):
                leaving[deed.topic].append(deed.alumnus_id)
            else:
                rows.append(deed)
        events.take_in(session, told, at=at)
        record_many(session, rows)
        for topic, ids in leaving.items():
            consent.withdraw_many(
                session, sorted(set(ids)), topic_key=topic, source=ConsentSource.LINK, at=at,
                reference=REFERENCE,
            )  # fmt: skip
        session.commit()

    def read(self, session: Session, at: datetime) -> None:
        """Decide what comes of each mail that was accepted at the moment."""
        statement = (
            select(
                Message.id, Message.alumnus_id, Message.origin, Message.topic_key,
                Message.message_class, Message.to_address, Message.attempt, Standing.stage,
            )
            .outerjoin(Standing, Standing.alumnus_id == Message.alumnus_id)
            .where(
                Message.alumnus_id.is_not(None), Message.state == MessageState.ACCEPTED,
                Message.accepted_at == at,
            )
        )  # fmt: skip
        for mail in session.execute(statement):
            self._answer(mail, at)
        session.commit()

    def _answer(self, mail: Any, at: datetime) -> None:
        """At most one of the ways out, else perhaps a click and a reply."""
        topic, stage = mail.topic_key or mail.message_class.value, mail.stage or "quiet"

        def chance(deed: str) -> float:
            return self.chances.of(deed, topic, stage)

        fate, clicks, sooner, replies, slower, *_ = draws(
            self.seed, mail.alumnus_id, mail.origin, at.date()
        )
        ways = (chance("bounce"), chance("complain"), chance("leave"))
        if fate < ways[0]:
            self._tell(at + AT_ONCE, "bounce", mail)
        elif fate < ways[0] + ways[1]:
            self._tell(at + LATER, "spamreport", mail)
        elif fate < sum(ways):
            self._plan(at + LATER, Leaving(mail.alumnus_id, mail.topic_key))
        else:
            if clicks < chance("click"):
                wait = after(self.history.delays.get("click", SOON), sooner)
                self._click(mail, at + max(wait, LATER))
            if replies < chance("replied"):
                moment = at + LATER + after(SOON, slower)
                self._interact(moment, mail.alumnus_id, "replied", "communication", mail.origin)

    def _click(self, mail: Any, moment: datetime) -> None:
        self._tell(moment, "click", mail)
        for follow, chance in self.chances.follows:
            does, when, *_ = draws(self.seed, mail.id, follow.kind)
            if does < chance:
                self._follow(follow, mail, moment + after(follow.days, when))

    def _follow(self, follow: Follow, mail: Any, moment: datetime) -> None:
        self._interact(moment, mail.alumnus_id, follow.kind, follow.mode, mail.origin)

    def _tell(self, moment: datetime, kind: str, mail: Any) -> None:
        told = Event(
            kind=kind, at=moment, address=mail.to_address or "", message_id=mail.id,
            attempt=mail.attempt, machine=False, reason="", payload={},
        )  # fmt: skip
        self._plan(moment, told)

    def _interact(
        self, moment: datetime, alumnus_id: int, kind: str, mode: str, origin: str
    ) -> None:
        number = next(self.counted)
        row = {
            "alumnus_id": alumnus_id, "occurred_at": moment, "kind": kind, "mode": mode,
            "origin": origin, "dedupe_key": f"{REFERENCE}:{number}",
        }  # fmt: skip
        heapq.heappush(self.plan, (moment, number, row))

    def _plan(self, moment: datetime, deed: object) -> None:
        heapq.heappush(self.plan, (moment, next(self.counted), deed))
