"""Why somebody cannot be asked, in words and with the values behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import format_date
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from segments.asks.eligibility import WORDS, Need
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.asks.rules import NEVER
from segments.clearance.models import Clearance
from segments.clearance.rules import LEVELS
from segments.requests.words import in_zone


def obstacles_told(
    session: Session, need: Need, person: Alumnus, words: Sequence[str]
) -> list[str]:
    """Each obstacle as the end of “they …”, with its value where there is one, the first first."""
    history = _history(session, need, person.id) if words else None
    told = []
    for word in words:
        value = _value(session, need, person, history, word)
        told.append(f"{WORDS[word]} ({value})" if value else str(WORDS[word]))
    return told


def _history(session: Session, need: Need, person: int) -> Any:
    reached = Ask.alumnus_id == person, Ask.state != AskState.CANCELLED
    declined = Ask.state == AskState.DECLINED, Ask.way_key == need.request.way_key
    return session.execute(
        select(
            func.max(Ask.asked_at).label("asked"),
            func.count().filter(Ask.asked_at > need.at - timedelta(days=365)).label("year"),
            func.max(Ask.answered_at).filter(*declined).label("declined"),
            func.max(Ask.rest_until).filter(Ask.rest_until < NEVER).label("rest"),
        ).where(*reached)
    ).one()  # fmt: skip


def _value(session: Session, need: Need, person: Alumnus, history: Any, word: str) -> str:
    if word in {"asked_lately", "being_asked", "already_asked"}:
        return _("last asked on %(day)s", day=_day(history.asked))
    if word == "asked_often":
        return _("%(n)s times since this day last year", n=history.year)
    if word == "said_no_lately":
        return _("on %(day)s", day=_day(history.declined))
    if word == "said_later":
        return _("not before %(day)s", day=_day(history.rest))
    if word == "paused" and person.paused_until:
        return _("until %(day)s", day=_day(person.paused_until))
    if word == "not_cleared":
        return _cleared(session, need, person.id)
    return _promised(session, need, person.id) if word == "busy" else ""


def _day(moment: datetime | date | None) -> str:
    return str(format_date(moment, "medium")) if moment else ""  # type: ignore[no-untyped-call]


def _cleared(session: Session, need: Need, person: int) -> str:
    """What it takes on which day, and what is held."""
    days = ", ".join(_day(d.starts_at.astimezone(need.zone).date()) for d in need.dates)
    takes = _("%(level)s on %(days)s is needed", level=LEVELS[need.level].label, days=days)
    held = session.execute(
        select(Clearance.level, Clearance.expires_on, Clearance.revoked_on)
        .where(Clearance.alumnus_id == person)
        .order_by(Clearance.expires_on.desc(), Clearance.level.desc())
        .limit(1)
    ).one_or_none()
    if held is None:
        return _("%(takes)s, nothing is on record", takes=takes)
    until = _day(held.revoked_on or held.expires_on)
    return _("%(takes)s, %(level)s is held until %(day)s", takes=takes,
             level=LEVELS[held.level].label, day=until)  # fmt: skip


def _promised(session: Session, need: Need, person: int) -> str:
    starts = session.scalars(
        select(Commitment.starts_at)
        .where(
            Commitment.alumnus_id == person, Commitment.state == CommitmentState.PLANNED,
            Commitment.starts_at >= need.at,
        )
        .order_by(Commitment.starts_at)
        .limit(3)
    )  # fmt: skip
    return "; ".join(in_zone(moment, need.zone.key) for moment in starts)
