"""What is rehearsed is what happens, and nothing real changes by it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg.errors
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import InternalError, OperationalError
from sqlalchemy.orm import Session

from crm.consent import service as consent
from crm.consent.models import ConsentSource
from crm.core.database import db
from crm.interactions.service import record_many
from crm.mail.models import Message
from lifecycle.rehearsal.calendar import Calendar
from lifecycle.rehearsal.days import Nobody
from lifecycle.rehearsal.running import Order, rehearse
from lifecycle.rehearsal.scratch import scratch
from tests.lifecycle.rehearsal.conftest import DAY, TODAY, District
from tests.lifecycle.rehearsal.rehearsing import ACTING, HELLO, YEARS


class Script:
    """Readers who reply, complain of themselves and leave by a script; the same every time."""

    def __init__(self) -> None:
        self.coming: list[tuple[datetime, int, str]] = []

    def act(self, session: Session, at: datetime) -> None:
        due = [deed for deed in self.coming if deed[0] <= at]
        self.coming = [deed for deed in self.coming if deed[0] > at]
        record_many(session, [
            {
                "alumnus_id": who, "occurred_at": moment, "kind": "replied",
                "mode": "communication", "dedupe_key": f"script:{who}:{moment}", "origin": origin,
            }
            for moment, who, origin in due if who % 5
        ])  # fmt: skip
        for moment, who, _ in due:
            if who % 5 == 0:
                consent.withdraw(
                    session, who, topic_key="news", source=ConsentSource.LINK, at=moment
                )
        session.commit()

    def read(self, session: Session, at: datetime) -> None:
        mails = select(Message.alumnus_id, Message.origin).where(Message.accepted_at == at)
        for who, origin in session.execute(mails.order_by(Message.alumnus_id)):
            if who % 3 == 0 or who % 5 == 0:
                self.coming.append((at + who % 4 * DAY, who, origin))
        session.commit()


@pytest.mark.parametrize("readers", [Nobody, Script])
def test_what_is_rehearsed_is_what_then_happens_message_for_message(
    district: District, readers: Any
) -> None:
    district.people(150)
    district.publish(HELLO, YEARS, ACTING)
    rehearsed = district.rehearsed(16, readers())
    lived = district.lived(16, readers())
    assert rehearsed == lived
    states = Counter(state for _, _, state, *_ in lived)
    assert states["accepted"] > 150
    assert states["skipped"] > 20


MORNING = """\
journey: morning
name: Morning
serves: Come together
enter: "class:2000.."
steps:
  - {id: day, wait_until: monday, at: "09:00"}
  - {id: letter, send: letter, topic: news}
  - {id: short, wait: 90min}
  - {id: again, send: letter, topic: events}
  - {id: done, exit: done}
"""


def test_a_tick_comes_at_the_hour_at_which_people_are_due(district: District) -> None:
    district.people(60)
    district.publish(MORNING)
    rehearsed = district.rehearsed(9, Nobody())
    sent = {
        (origin, datetime.fromisoformat(moment).astimezone(ZoneInfo("America/New_York")).hour)
        for who, origin, state, _, moment, _ in rehearsed
        if state == "accepted" and who % 4 == 0  # who lives where the district is
    }
    assert sent == {("journey:morning/letter", 9), ("journey:morning/again", 11)}
    assert rehearsed == district.lived(9, Nobody())


def test_a_year_end_brings_the_same_people_whether_or_not_every_day_asks(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    district.people(200)
    district.publish(HELLO, YEARS)
    start = datetime(2026, 12, 27, 15, tzinfo=UTC)
    spared = district.rehearsed(9, Nobody(), start)
    monkeypatch.setattr(Calendar, "turn", lambda *_: None)
    assert district.rehearsed(9, Nobody(), start) == spared
    assert any(moment and moment >= "2027" for *_, moment, _ in spared)


TABLES = "select tablename from pg_tables where schemaname = 'public' order by 1"


SEQUENCES = """select sequencename, last_value from pg_sequences
    where schemaname = 'public' order by 1"""


def state_of(district: District) -> dict[str, Any]:
    """Every table's rows as a fingerprint, and where every sequence stands."""
    found: dict[str, Any] = {"sequences": district.rows(SEQUENCES)}
    for (table,) in district.rows(TABLES):
        row = "hashtextextended(t::text || t.xmin::text, 0)"
        found[table] = district.rows(f"select count(*), sum({row}) from {table} t")
    return found


def temporary(district: District) -> int:
    rows = district.rows("select count(*) from pg_class where relpersistence = 't'")
    return int(rows[0][0])


def test_nothing_real_changes_and_nothing_is_left(district: District) -> None:
    district.people(120)
    district.publish(HELLO, YEARS)
    before = state_of(district)
    found = rehearse(district.app, Order(months=1, runs=2), TODAY, lambda _: None)
    assert found.result["totals"]["messages"][1] > 100
    assert state_of(district) == before
    assert temporary(district) == 0


def test_the_server_refuses_a_write_to_what_is_real(district: District) -> None:
    district.people(5)
    with scratch(district.app, people=None, seed=1, at=TODAY, read=frozenset()):
        with pytest.raises(InternalError) as refused:
            db.session.execute(text("insert into cluster (name) values ('Real')"))
        assert isinstance(refused.value.orig, psycopg.errors.ReadOnlySqlTransaction)
        db.session.rollback()
        db.session.execute(text("update alumnus set deceased = true"))
        db.session.commit()
    assert district.rows("select count(*) from alumnus where deceased") == [(0,)]


def test_a_rehearsal_that_is_killed_leaves_nothing(district: District) -> None:
    district.people(60)
    district.publish(HELLO)
    before = state_of(district)

    def kill(share: float) -> None:
        if share > 0.4:
            district.run(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )

    with pytest.raises(OperationalError):
        rehearse(district.app, Order(months=1, runs=1), TODAY, kill)
    assert state_of(district) == before
    assert temporary(district) == 0
