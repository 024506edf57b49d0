"""Why we may or may not write to somebody: the send policy's own answer for each kind of mail.

Nothing is decided here. Messages that nobody queued are put before `policy.decide` with the facts
that a hand-over would read; whatever stops one is noted and taken away, and the policy is asked
again, until nothing stops it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from crm.consent.age import AgeRule
from crm.consent.models import Topic
from crm.consent.queries import topics
from crm.core.district import chosen
from crm.mail import facts, policy, reasons
from crm.mail.content import FALLBACK
from crm.mail.deciding import facts_of
from crm.mail.hours import Hours, SendingHours
from crm.mail.models import MessageClass

ORIGIN = "why:"
CLASSES = (MessageClass.MARKETING, MessageClass.ASK)
SOMEWHERE = "somewhere@example.invalid"
WITHOUT: dict[str, dict[str, Any]] = {
    reasons.MERGED: {"merged": False},
    reasons.DECEASED: {"deceased": False},
    reasons.BLOCKED: {"ferpa_block": False},
    reasons.DO_NOT_CONTACT: {"do_not_contact": False},
    reasons.UNDER_AGE: {"for_minors": True},
    reasons.PAUSED: {"paused_until": None},
    reasons.TOPIC_PAUSED: {"topic_paused_until": None},
    reasons.CONSENT_WITHDRAWN: {"refusal": None},
    reasons.NO_CONSENT: {"refusal": None},
    reasons.TOPIC_RETIRED: {"refusal": None},
    reasons.SUPPRESSED: {"suppression": None},
    reasons.BOUNCED: {"suppression": None, "bounced": False, "address": SOMEWHERE},
    reasons.NO_ADDRESS: {"address": SOMEWHERE},
}
"""What the facts would be without the thing that a reason names."""


@dataclass(frozen=True)
class Answer:
    """Whether one kind of mail may go to a person now: `go`, `wait` (until) or `skip`.

    `reasons` are all that stop it, the one that decides first; `slot` is when the contact budget
    has room again, and `opens` when it is day where the person lives, where those are ahead.
    """

    topic: Topic | None
    message_class: MessageClass
    verdict: str
    until: datetime | None
    reasons: tuple[str, ...]
    slot: datetime | None
    opens: datetime | None
    known: policy.Facts


def answers(session: Session, alumnus_id: int, *, at: datetime) -> list[Answer]:
    """For each topic and class of message, and for what somebody waits for, what would happen."""
    offered: list[tuple[Topic | None, MessageClass]] = [
        (topic, kind) for topic in topics(session) for kind in CLASSES
    ]
    offered.append((None, MessageClass.IMMEDIATE))
    rows = facts.imagine(
        session, alumnus_id, [(t.key if t else None, kind) for t, kind in offered], at=at,
        origin=ORIGIN,
    )  # fmt: skip
    age, hours = chosen(session, AgeRule), chosen(session, SendingHours).hours
    return [
        _answer(topic, row, age, hours, at) for (topic, _), row in zip(offered, rows, strict=True)
    ]


def _answer(topic: Topic | None, row: Row[Any], age: AgeRule, hours: Hours, at: datetime) -> Answer:
    known = facts_of(row, row.language or FALLBACK, None, age=age, duplicate=False, hours=hours)
    decision = policy.decide(known, at=at)
    slot, opens = _ahead(known, at)
    return Answer(
        topic, row.message_class, VERDICTS[type(decision)],
        decision.until if isinstance(decision, policy.Wait) else None,
        tuple(_stops(known, at)), slot, opens, known,
    )  # fmt: skip


VERDICTS: dict[type, str] = {policy.Go: "go", policy.Wait: "wait", policy.Skip: "skip"}


def _stops(known: policy.Facts, at: datetime) -> Iterator[str]:
    """Every reason that stops it, in the order in which the policy finds them."""
    seen: set[str] = set()
    while True:
        decision = policy.decide(known, at=at)
        if not isinstance(decision, policy.Skip) or decision.reason in seen:
            return
        seen.add(decision.reason)
        yield decision.reason
        known = replace(known, **WITHOUT.get(decision.reason, {}))


def _ahead(known: policy.Facts, at: datetime) -> tuple[datetime | None, datetime | None]:
    """When the budget has room and when the day begins, of what would make it wait."""
    if known.message_class is MessageClass.IMMEDIATE:
        return None, None
    slot, opens = (
        policy.slot_frees(known.sent, at),
        policy.next_open(at, known.time_zone, known.hours),
    )
    return (slot if slot > at else None), (opens if opens > at else None)


def spent(sent: Sequence[datetime], at: datetime) -> list[tuple[int, policy.Limit]]:
    """How much of each limit of the contact budget is used at a moment."""
    return [
        (sum(moment > at - timedelta(days=limit.days) for moment in sent), limit)
        for limit in policy.BUDGET
    ]
