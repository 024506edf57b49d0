"""The districts that workers are killed in, what happens there by itself, and how it stands after.

What is compared between a disturbed and an undisturbed run leaves out numbers and moments: a
killed transaction uses up ids, and a message that was taken back goes some minutes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.core.district import choose
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from crm.mail.models import MessageClass
from crm.mail.outbox import queue_message
from lifecycle.calendar.choices import SchoolCalendar, Span
from lifecycle.campaigns import service as campaigns
from lifecycle.campaigns.queries import load_campaign
from lifecycle.journeys import service as journeys
from lifecycle.journeys.queries import load_journey
from lifecycle.journeys.takeover import Takeover
from tests.lifecycle.engine.conftest import PEOPLE

NEXT = """select setval(pg_get_serial_sequence('alumnus', 'id'), coalesce(max(id), 0) + 1, false)
from alumnus"""
"""A database that crashed leaves numbers out; lots and the provider's whims go by them."""
GROWN = """
insert into contact_point (alumnus_id, kind, value, key, owner, status, preferred, source,
  created_at, updated_at)
select id, 'email', id || '@mail.example', id || '@mail.example', 'own', 'ok', true, '',
  '2026-01-01Z', '2026-01-01Z' from alumnus a
where not exists (select from contact_point c where c.alumnus_id = a.id);
update alumnus set class_year = 2015, graduated_on = '2015-06-01' where class_year <> 2015
"""
KIN = """journey: kin
name: Kin
serves: A goal
enter: city:Nowhere
steps:
  - {id: call, task: Call the kin}
  - {id: end, exit: done}
"""
WAY = """journey: way
name: Way
serves: A goal
enter: class:2015
goal: link_clicked
steps:
  - {id: hello, send: letter, topic: news, priority: 60}
  - {id: heard, wait_for: link_clicked, of: hello, max: 6d, yes: keen, no: again}
  - {id: keen, set: {subject: health}, next: rest}
  - {id: again, send: letter, topic: news, next: rest}
  - {id: rest, wait: 8d}
  - {id: day, wait_until: school day}
  - {id: half, split: {call: 1, kin: 1}}
  - {id: call, task: Call them, next: fork}
  - {id: kin, enter: kin, next: fork}
  - {id: fork, branch: "subject:health", yes: q, no: last}
  - {id: q, ask: mentor, next: last}
LAST  - {id: end, exit: done}
"""
FIRST = WAY.replace("LAST", "  - {id: last, wait: 1d}\n")
SECOND = WAY.replace("LAST", "  - {id: last, send: letter, topic: news}\n")
STATE = {
    "ways": """select e.alumnus_id, j.key, v.no, e.state, e.end_reason, e.goal_at is not null,
        (select string_agg(concat_ws('/', r.step_no, r.outcome, r.reason), ' ' order by r.seq)
         from step_run r where r.enrollment_id = e.id)
        from enrollment e join journey j on j.id = e.journey_id
        join journey_version v on v.id = e.version_id""",
    "messages": """select alumnus_id, regexp_replace(origin, '^ask:.*', 'ask'), state, reason,
        delivery, clicked_at is not null from message""",
    "standings": "select alumnus_id, phase, stage from standing",
    "notes": "select alumnus_id, kind, key from interest",
    "tasks": "select alumnus_id, title from staff_task",
    "asks": "select alumnus_id, way_key, state from ask",
    "deeds": "select alumnus_id, kind, regexp_replace(origin, '^ask:.*', 'ask'), machine"
    " from interaction",
    "addresses": "select alumnus_id, key, status from contact_point",
    "closed": "select address_key, reason from suppression",
    "told": """select distinct m.alumnus_id, regexp_replace(m.origin, '^ask:.*', 'ask'), d.kind
        from delivery_event d join message m on m.id = d.message_id
        where d.kind in ('delivered', 'bounce', 'click')""",
}


@dataclass
class Year:
    """A district with journeys of every kind of step, a campaign, a new version and a pause."""

    people: int = 24
    days: tuple[int, ...] = (
        0, 1, 2, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 18, 27, 28,
    )  # fmt: skip
    ticks: bool = True

    def begin(self, session: Session, at: datetime) -> None:
        """Whom and what there is on the first morning."""
        term = Span(name="Fall", starts=date(2026, 8, 3), ends=date(2026, 12, 18))
        choose(session, SchoolCalendar(terms=(term,)), at=at)
        self._arrive(session, self.people)
        letter(session, at)
        for source in (KIN, FIRST):
            journeys.publish(session, source, name="x.yaml", by=SYSTEM, at=at)
        draft = campaigns.Draft("News", "", "class:2015", "news")
        campaigns.create(session, draft, by=SYSTEM, at=at)
        campaign = load_campaign(session, "news")
        campaigns.write(session, campaign, "en", Variant("News", "", "Hello."), by=SYSTEM, at=at)

    def _arrive(self, session: Session, number: int) -> None:
        session.execute(text(NEXT))
        session.execute(text(PEOPLE), {"number": number})
        for statement in GROWN.split(";"):
            session.execute(text(statement))

    def morning(self, session: Session, day: int, at: datetime) -> None:
        """What staff do on some days."""
        if day == 2:
            self._arrive(session, max(2, self.people // 6))
        if day == 6:
            journeys.pause(session, load_journey(session, "way"), by=SYSTEM, at=at)
        if day == 7:
            journeys.resume(session, load_journey(session, "way"), by=SYSTEM, at=at)
        if day == 8:
            journeys.publish(
                session, SECOND, name="x.yaml", by=SYSTEM, at=at, takeover=Takeover("move", "new")
            )
        if day == 27:
            campaign = load_campaign(session, "news")
            campaigns.schedule(session, campaign, send_at=at, by=SYSTEM, at=at)


@dataclass
class Outbox:
    """No journeys: each morning a few people get a message each. The smallest place to fail in."""

    people: int = 12
    days: tuple[int, ...] = (0, 1, 2)
    first: int = 0
    ticks: bool = False

    def begin(self, session: Session, at: datetime) -> None:
        """Everything there is comes in the mornings."""

    def morning(self, session: Session, day: int, at: datetime) -> None:
        """New people, and a message to each."""
        version = letter(session, at)
        known = session.scalar(text("select coalesce(max(id), 0) from alumnus"))
        Year._arrive(Year(), session, self.people)
        for person in session.scalars(text("select id from alumnus where id > :n"), {"n": known}):
            queue_message(
                session, key=f"outbox:{person}", alumnus_id=person, version_id=version,
                message_class=MessageClass.MARKETING, topic_key="news", origin="campaign:outbox",
                at=at,
            )  # fmt: skip


def letter(session: Session, at: datetime) -> int:
    """The content that everything sends; its version's id."""
    variants = {"en": Variant("Hello {{ first_name }}", "", "A line.")}
    saved = save_content(
        session, key="letter", name="Letter", topic_key="news", variants=variants, by=SYSTEM, at=at
    )
    return int(saved.id)


def state_of(session: Session) -> Mapping[str, list[tuple[Any, ...]]]:
    """How a district stands, without ids and moments, in a fixed order."""
    return {
        name: sorted(tuple(map(str, row)) for row in session.execute(text(statement)))
        for name, statement in STATE.items()
    }
