"""A rehearsal says what the real days then bring, and leaves no trace."""

from __future__ import annotations

import json
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
from crm.core.errors import NotFound, Refused
from crm.interactions.service import record_many
from crm.mail.models import Message
from lifecycle.rehearsal.calendar import Calendar
from lifecycle.rehearsal.days import Nobody
from lifecycle.rehearsal.running import Order, rehearse
from lifecycle.rehearsal.scratch import scratch
from tests.lifecycle.rehearsal.conftest import DAY, TODAY, District

HELLO = """\
journey: hello
name: Hello
serves: Connect early
enter:
  when: class:2005..
  reentry: after_exit
  gap: 5d
exit: stage:connected..
goal: replied
steps:
  - {id: first, send: letter, topic: news, priority: 70, expires: 6d}
  - {id: heard, wait_for: replied, max: 4d, yes: thanks, no: again}
  - {id: again, send: letter, topic: news, expires: 3d}
  - {id: rest, wait: 3d, next: done}
  - {id: thanks, send: letter, topic: events}
  - {id: done, exit: done}
"""
YEARS = """\
journey: years
name: Years
serves: Come together
enter: {when: "years:5,10,25", reentry: yearly}
steps:
  - {id: invite, send: letter, topic: events}
  - {id: who, branch: "stage:aware..", yes: more, no: done}
  - {id: more, send: letter, topic: events}
  - {id: done, exit: done}
"""

ACTING = """\
journey: acting
name: Acting
serves: Come together
enter: "class:2000.."
steps:
  - {id: lots, split: {call: 50, ask: 50}}
  - {id: call, task: "Call them", next: letter}
  - {id: ask, ask: speak, next: letter}
  - {id: letter, send: letter, topic: news}
  - {id: done, exit: done}
"""


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


def test_the_same_seed_says_the_same_and_another_differs(district: District) -> None:
    district.people(80)
    district.publish(HELLO)

    def told(seed: int) -> Any:
        order = Order(months=1, runs=1, seed=seed)
        return rehearse(district.app, order, TODAY, lambda _: None).result

    first = told(1)
    assert told(1) == first
    assert told(2)["weeks"] != first["weeks"]


def test_runs_become_bands_and_a_sample_stands_for_everybody(district: District) -> None:
    district.people(200)
    district.publish(HELLO)
    found = rehearse(district.app, Order(months=1, runs=3, people=50), TODAY, lambda _: None).result
    low, middle, high = found["totals"]["messages"]
    assert 0 < low <= middle <= high
    assert low < high
    assert found["people"] < found["population"] == 200
    everybody = rehearse(district.app, Order(months=1, runs=1), TODAY, lambda _: None).result
    assert low * 0.6 < everybody["totals"]["messages"][1] < high * 1.6
    assert sum(n[1] for n in everybody["contacts"].values()) == 200
    for week in everybody["weeks"]:
        assert sum(n[1] for n in week["stages"].values()) == 200
    assert (
        sum(week["messages"][1] for week in everybody["weeks"])
        == (everybody["totals"]["messages"][1])
    )


def test_one_journey_is_rehearsed_alone(district: District) -> None:
    district.people(100)
    district.publish(HELLO, YEARS)
    order = Order(journey="years", months=1, fixed=True)
    found = rehearse(district.app, order, TODAY, lambda _: None).result
    assert {step["journey"] for step in found["steps"]} == {"years"}
    assert found["totals"]["by_topic"].keys() == {"events"}
    # Nobody ever does anything, so that nobody can have risen to that branch.
    assert found["unreached"] == [{"journey": "years", "step": "more"}]
    with pytest.raises(NotFound):
        rehearse(district.app, Order(journey="none"), TODAY, lambda _: None)


def test_a_draft_is_rehearsed_beside_what_is_live(district: District) -> None:
    district.people(100)
    district.publish(YEARS)
    draft = YEARS.replace('"years:5,10,25"', '"years:5,10,15,20,25"')
    order = Order(months=1, fixed=True, draft=draft)
    found = rehearse(district.app, order, TODAY, lambda _: None).result
    more = found["totals"]["messages"][1] - found["live"]["totals"]["messages"][1]
    assert more > 0
    assert found["difference"]["messages"] == more
    assert district.rows("select count(*) from journey_version") == [(1,)]
    with pytest.raises(Refused):
        rehearse(district.app, Order(draft="journey: x"), TODAY, lambda _: None)


def test_a_rehearsal_writes_no_letter_and_uses_no_transport(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a transport was made")

    monkeypatch.setattr("crm.mail.delivery.transport_of", never)
    monkeypatch.setattr("crm.mail.transports.transport_of", never)
    district.people(30)
    district.publish(HELLO)
    found = rehearse(district.app, Order(months=1, fixed=True), TODAY, lambda _: None)
    assert found.result["totals"]["messages"][1] > 0
    assert district.rows("select count(*) from mailbox_item") == [(0,)]


def test_the_command_says_it_by_week(district: District) -> None:
    district.people(40)
    district.publish(HELLO)
    runner = district.app.test_cli_runner()
    arguments = ["lifecycle", "rehearse", "--months", "1", "--runs", "1", "--json"]
    with district.app.app_context():  # a fixture of wider scope may have another app's open
        done = runner.invoke(args=[*arguments, "--as-of", "2026-09-15T15:00", "--journey", "hello"])
        unknown = runner.invoke(args=[*arguments, "--journey", "none"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["weeks"]) == 5
    assert told["weeks"][0]["messages"][1] > 0
    assert told["weeks"][0]["stages"]
    assert {"skipped", "by_topic", "entered", "tasks"} <= told["weeks"][0].keys()
    assert told["most_contacted"][0]["messages"] >= 1
    assert unknown.exit_code == 1


def test_tasks_for_staff_are_counted_by_week(district: District) -> None:
    district.people(60)
    district.publish(ACTING)
    found = rehearse(district.app, Order("acting", 1, fixed=True), TODAY, lambda _: None).result
    called = next(step["ran"][1] for step in found["steps"] if step["step"] == "call")
    assert [week["tasks"][1] for week in found["weeks"]] == [called, 0, 0, 0, 0]
    assert called > 0
    assert {"news", "volunteering"} == found["totals"]["by_topic"].keys()
    assert district.rows("select count(*) from staff_task") == [(0,)]


def test_queries_about_what_was_long_ago_find_it_in_the_copy(district: District) -> None:
    district.people(60)
    district.publish(YEARS)
    district.lived(3, Nobody())
    later = TODAY + 100 * DAY
    asking = "journey: again\nname: Again\nserves: Come together\nenter: mailed:1y\nsteps:\n"
    steps = "  - {id: one, send: letter, topic: news}\n  - {id: done, exit: done}\n"
    district.publish(asking + steps)
    found = rehearse(district.app, Order("again", 1, fixed=True), later, lambda _: None).result
    mailed = "select count(distinct alumnus_id) from message where state = 'accepted'"
    [(number,)] = district.rows(mailed)
    assert found["totals"]["entered"] == {"again": [number] * 3}
    assert number > 0
