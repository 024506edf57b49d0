"""Asks without a school's request: whether somebody would help in a way, when it comes up.

Who may be asked is decided by the same conditions as for a request (law 6), in the statement that
writes the asks. A yes notes the way on the person, so that the desk finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask_babel import force_locale, get_locale
from flask_babel import gettext as _
from sqlalchemy import Select, String, case, cast, exists, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Way
from crm.consent.age import AgeRule
from crm.core.district import chosen
from crm.core.errors import Invalid, NotFound
from crm.mail.content import shipped_version
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_many
from crm.mail.policy import local_day
from crm.web.i18n import LANGUAGES
from segments.asks.answers import keep_in_mind, note_answer, write_no
from segments.asks.eligibility import TOPIC, person_obstacles
from segments.asks.letters import ASK_PRIORITY
from segments.asks.models import Ask, AskState
from segments.asks.page import SEASONS, months, own_limit
from segments.asks.rules import AskCare, later_choices
from segments.clearance.cases import USUAL_LEAD, start_case
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import cleared_on, office_day
from segments.requests.models import Place, Supervision

CONTENT = "ask-open"
BEING_ASKED = "being_asked"


def ask_openly(
    session: Session, who: Select[Any], *, way_key: str, expires_at: datetime, at: datetime
) -> Mapping[int, str]:
    """Ask these people for a way to help and queue their letters, set-based.

    `who` has columns `alumnus_id`, `key` (unique for ever: a second call asks nobody twice) and
    `place` (a number of the caller's). Answers, by place, the word of what stood in the way
    (`segments.asks.eligibility.WORDS`). Raises `NotFound` for an unknown way.
    """
    way = session.get(Way, way_key)
    if way is None:
        raise NotFound("There is no way to help called “%(way_key)s”.", way_key=way_key)
    found = who.subquery("who")
    margin = chosen(session, AgeRule).margin_years
    obstacles = person_obstacles(
        way_key,
        today=local_day(at, None),
        at=at,
        margin_years=margin,
        care=chosen(session, AskCare),
    )
    first = case(*((stands, literal(word)) for word, stands in obstacles.items()))
    judged = select(found, first.label("obstacle")).join(Alumnus, Alumnus.id == found.c.alumnus_id)
    rows = session.execute(judged.order_by(found.c.alumnus_id)).all()
    free = [row for row in rows if row.obstacle is None]
    asked = _write(session, free, way_key=way_key, expires_at=expires_at, at=at)
    _mail(session, way, list(asked.values()), at=at)
    return {row.place: row.obstacle or BEING_ASKED for row in rows if row.key not in asked}


def _write(
    session: Session, rows: list[Any], *, way_key: str, expires_at: datetime, at: datetime
) -> dict[str, int]:
    """The new asks: key → ask. Somebody whom another ask reached at this instant is left out."""
    if not rows:
        return {}
    same: dict[str, Any] = {
        "way_key": way_key, "state": AskState.OPEN, "asked_at": at, "expires_at": expires_at,
        "wave": 1, "chosen_by": "journey", "reasons": [], "note": "",
    }  # fmt: skip
    values = [{**same, "alumnus_id": row.alumnus_id, "dedupe_key": row.key} for row in rows]
    written: dict[str, int] = {}
    for start in range(0, len(values), 2_000):
        statement = insert(Ask).values(values[start : start + 2_000]).on_conflict_do_nothing()
        for key, ask_id in session.execute(statement.returning(Ask.dedupe_key, Ask.id)):
            written[str(key)] = ask_id
    return written


def _mail(session: Session, way: Way, ask_ids: list[int], *, at: datetime) -> None:
    if not ask_ids:
        return
    named = {}
    for code in LANGUAGES:
        with force_locale(code):
            named[code] = literal({"way_label": _(way.label)}, JSONB)
    spoken = case(
        *((Alumnus.language.like(f"{code}%"), words) for code, words in named.items()),
        else_=named["en"],
    )
    own = func.jsonb_build_object("ask_id", cast(Ask.id, String))
    key = func.concat("ask:", Ask.id)
    rows = (
        select(
            Ask.alumnus_id, key.label("key"), key.label("origin"), Ask.expires_at,
            spoken.op("||")(own).label("merge"),
        )
        .join(Alumnus, Alumnus.id == Ask.alumnus_id)
        .where(Ask.id.in_(ask_ids))
    )  # fmt: skip
    queue_many(
        session, rows, message_class=MessageClass.ASK, at=at, topic_key=TOPIC,
        version_id=shipped_version(session, CONTENT, at), priority=ASK_PRIORITY,
    )  # fmt: skip


def answer(session: Session, ask: Ask, *, word: str, season: str, at: datetime) -> None:
    """Take the answer to an ask without a request: `yes`, `no`, `later` (a season) or `never`."""
    session.refresh(ask, with_for_update=True)
    if word == "yes":
        new = ask.state is not AskState.ACCEPTED
        ask.state, ask.answered_at, ask.note, ask.rest_until = AskState.ACCEPTED, at, "", None
        keep_in_mind(session, ask, at=at)
        _start_clock(session, ask, at)
        if new:
            note_answer(session, ask, "accepted", at)
    elif word in ("no", "later", "never"):
        write_no(session, ask, how=word, season=season, at=at)
    else:
        raise Invalid("Choose one of the answers.", field="answer")
    session.flush()


def _start_clock(session: Session, ask: Ask, at: datetime) -> None:
    """A yes to a way that takes a clearance starts the clock to get it."""
    policy, today = chosen(session, ClearancePolicy), office_day(session, at)
    level = policy.needed_level(Supervision.SUPERVISED, Place.SCHOOL)
    if ask.way_key not in policy.ways or level == 0:
        return
    held = exists().where(Alumnus.id == ask.alumnus_id, cleared_on(level, today, None))
    if not session.scalar(select(held)):
        lead = timedelta(days=policy.rule(level).lead_days) or USUAL_LEAD
        start_case(
            session, ask.alumnus_id, level=level, school_id=None, way_key=ask.way_key,
            due_on=today + lead, at=at,
        )  # fmt: skip


def values(session: Session, ask: Ask, *, at: datetime) -> Mapping[str, Any]:
    """What the page behind the link shows: the way to help, and how the person answered so far."""
    moods = {AskState.ACCEPTED: "yes", AskState.DECLINED: "no"}
    return {
        "way": _(session.get_one(Way, ask.way_key).label), "mood": moods.get(ask.state, "ask"),
        "seasons": [(key, SEASONS[key]) for key in later_choices(at.date())],
        "months": months(at.date(), str(get_locale() or "en")),
        "limit": own_limit(session, ask.alumnus_id),
    }  # fmt: skip
