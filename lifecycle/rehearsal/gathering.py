"""The figures of one run, read off the copy when its days are over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.mail.policy import DISTRICT_ZONE
from lifecycle.journeys.definition import Document
from lifecycle.journeys.queries import document_of, live_journeys

Figures = dict[str, dict[tuple[Any, ...], float]]
"""Counts of a run by what they count, each by its key: (week, topic), (journey, step) and so on."""
WEEK = "cast(floor(extract(epoch from {at} - :start) / 604800) as int)"
DAY = f"cast(timezone('{ZoneInfo(DISTRICT_ZONE).key}', accepted_at) as date)"
MINE = """(cast(:journey as text) is null or starts_with(origin, 'journey:' || :journey || '/')
    or origin in (select 'ask:' || k.id from ask k
                  where starts_with(k.dedupe_key, 'journey:' || :journey || ':')))"""
SENT = f"""select {DAY} as day, {WEEK.format(at="accepted_at")} as week,
    coalesce(topic_key, message_class) as topic, origin, count(*) as n
  from message where state = 'accepted' and accepted_at >= :start and alumnus_id is not null
    and {MINE} group by 1, 2, 3, 4"""
SKIPPED = f"""select {WEEK.format(at="ended_at")} as week, coalesce(reason, state) as reason,
    origin, count(*) as n
  from message where state in ('skipped', 'failed') and ended_at >= :start
    and alumnus_id is not null and {MINE} group by 1, 2, 3"""
ENTERED = f"""select {WEEK.format(at="entered_at")} as week, j.key, count(*) as n
  from enrollment e join journey j on j.id = e.journey_id
  where entered_at >= :start and e.arm is null group by 1, 2"""
RAN = f"""select {WEEK.format(at="r.at")} as week, j.key,
    v.document -> 'steps' -> r.step_no as step, count(*) as n
  from step_run r join enrollment e on e.id = r.enrollment_id
    join journey_version v on v.id = e.version_id join journey j on j.id = e.journey_id
  where r.at >= :start group by 1, 2, 3"""
MOVED = f"""select {WEEK.format(at="at")} as week, from_key, to_key, count(*) as n
  from standing_move where axis = 'stage' and from_key is not null and at >= :start
  group by 1, 2, 3"""
SPREAD = f"""select mails, count(*) as n from (
    select a.id, count(m.id) as mails from alumnus a
      left join message m on m.alumnus_id = a.id and m.state = 'accepted'
        and m.accepted_at >= :start and {MINE}
    group by a.id) each group by 1"""
MOST = f"""select alumnus_id, count(*) as n from message
  where state = 'accepted' and accepted_at >= :start and alumnus_id is not null and {MINE}
  group by 1 order by 2 desc, 1 limit 20"""
PLACES = "select phase, stage, count(*) as n from standing group by 1, 2"
TASK = "task"


@dataclass(frozen=True)
class Taken:
    """What a run came to: its figures, who got the most mail, and the journeys that were live."""

    figures: Figures
    most: tuple[tuple[int, int], ...]
    documents: Mapping[str, Document]


def places(session: Session) -> dict[tuple[str, str], float]:
    """How many people stand in each phase at each stage."""
    return {(row.phase, row.stage): row.n for row in session.execute(text(PLACES))}


def gather(
    session: Session, start: datetime, before: Mapping[tuple[str, str], float], journey: str | None
) -> Taken:
    """All figures of a run that began at `start`; messages of one `journey` only, if given."""
    given = {"start": start, "journey": journey}
    found: Figures = defaultdict(lambda: defaultdict(float))
    found["before"] = dict(before)
    found["after"] = dict(places(session))
    for row in session.execute(text(SENT), given):
        found["days"][row.day.isoformat(), row.topic] += row.n
        found["sent"][row.week, row.topic] += row.n
        found["messages"][(row.week,)] += row.n
        found["step_sent"][_step(row.origin)] += row.n
        found["total"][("messages",)] += row.n
        found["topics"][(row.topic,)] += row.n
    for row in session.execute(text(SKIPPED), given):
        found["skipped"][row.week, row.reason] += row.n
        found["reasons"][(row.reason,)] += row.n
        found["step_skipped"][_step(row.origin)] += row.n
        found["total"][("skipped",)] += row.n
    for row in session.execute(text(ENTERED), given):
        found["entered"][(row.week,)] += row.n
        found["entrants"][(row.key,)] += row.n
    for row in session.execute(text(RAN), given):
        found["ran"][row.key, row.step["id"]] += row.n
        if row.step["kind"] == TASK:
            found["tasks"][(row.week,)] += row.n
    for row in session.execute(text(MOVED), given):
        found["moves"][row.week, row.from_key, row.to_key] += row.n
    for row in session.execute(text(SPREAD), given):
        found["spread"][(row.mails,)] += row.n
    most = tuple((row.alumnus_id, row.n) for row in session.execute(text(MOST), given))
    documents = {journey.key: document_of(version) for journey, version in live_journeys(session)}
    session.commit()
    return Taken({name: dict(by) for name, by in found.items()}, most, documents)


def _step(origin: str) -> tuple[str, str]:
    """The journey and step that an origin names; for anything else its kind and name."""
    kind, _, rest = origin.partition(":")
    journey, _, step = rest.partition("/")
    return (journey, step) if kind == "journey" else (kind, journey)
