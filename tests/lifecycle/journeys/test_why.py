"""Why in bulk and why not, for one person: figures, the people behind each, values that decide."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update
from sqlalchemy.orm import Session

from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from crm.mail.delivery import deliver
from crm.mail.models import Message
from crm.query import compile_query, count_up_to
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.models import Enrollment, EnrollmentState
from lifecycle.journeys.queries import live_version, load_journey
from lifecycle.journeys.whys import whys
from tests.factories import Make

DAY = timedelta(days=1)
SOURCE = """journey: why
name: Why
serves: A goal
enter: "class:2026 has:email -city:Nowhere"
steps:
  - {id: hello, send: letter, topic: news}
  - {id: kin, enter: kin}
  - {id: rest, wait: 9d}
  - {id: end, exit: done}
"""
KIN = "journey: kin\nname: Kin\nserves: A goal\nenter: by_hand\nsteps:\n  - {id: e, exit: done}\n"


@pytest.fixture
def crowd(app: Flask, session: Session, make: Make, now: datetime) -> dict[str, int]:
    """Somebody at each place: mailed, full, not to be contacted, set aside, and outside."""
    variants = {"en": Variant("Hello", "", "A line.")}
    version = save_content(
        session, key="letter", name="Letter", topic_key="news", variants=variants, by=SYSTEM, at=now
    )
    people = {
        "mailed": make.alumnus(class_year=2026), "full": make.alumnus(class_year=2026),
        "closed": make.alumnus(class_year=2026, do_not_contact=True),
        "stuck": make.alumnus(class_year=2026), "older": make.alumnus(class_year=2010),
        "silent": make.alumnus(class_year=2026, email=None),
        "nowhere": make.alumnus(class_year=2010, city="Nowhere"),
    }  # fmt: skip
    found = {name: person.id for name, person in people.items()}
    for n in range(2):
        session.execute(
            text(
                "insert into message (id, key, alumnus_id, version_id, message_class, topic_key,"
                " origin, state, accepted_at, queued_at, not_before, priority, attempt, delivery,"
                " merge) values (gen_random_uuid(), :key, :person, :version, 'marketing', 'news',"
                " 'campaign:x', 'accepted', :at, :at, :at, 50, 1, 'none', '{}')"
            ),
            {"key": f"x{n}", "person": found["full"], "version": version.id, "at": now - DAY},
        )
    for source in (KIN.replace("by_hand", "{by_hand: true}"), SOURCE):
        service.publish(session, source, name="x.yaml", by=SYSTEM, at=now)
    session.commit()
    advance(now)
    deliver(app, at=now)
    mine = Enrollment.alumnus_id == found["stuck"]
    session.execute(
        update(Enrollment).where(mine, Enrollment.end_reason.is_(None)).values(
            state=EnrollmentState.STUCK, end_reason="rest: broken"
        )
    )  # fmt: skip
    session.execute(update(Message).where(Message.alumnus_id == found["stuck"]).values(origin="o"))
    session.commit()
    return found


def test_every_figure_says_how_many_why_and_until_when_and_means_those_people(
    session: Session, now: datetime, crowd: dict[str, int]
) -> None:
    journey = load_journey(session, "why")
    version = live_version(session, journey)
    assert version is not None
    found = {(one.step, one.what, one.reason): one for one in whys(
        session, journey, version, SYSTEM, now)}  # fmt: skip
    assert {key: one.people for key, one in found.items()} == {
        ("hello", "held", "contact_budget"): 1, ("hello", "skipped", "do_not_contact"): 1,
        ("rest", "waiting", "wait"): 3, ("rest", "stuck", "rest: broken"): 1,
    }  # fmt: skip
    held = found["hello", "held", "contact_budget"]
    assert held.values == {"2 in 7d": "2..2", "6 in 30d": "2..2"}
    assert held.first is not None
    assert now + 5 * DAY < held.first < now + 7 * DAY
    assert found["rest", "waiting", "wait"].first == now + 9 * DAY
    for one in found.values():
        compiled = compile_query(str(one.query), QueryContext(session, SYSTEM, now))
        assert count_up_to(session, compiled) == (one.people, False), one


def test_the_page_the_file_and_the_command_tell_the_same(
    coordinator: FlaskClient, crowd: dict[str, int], runner: Any, now: datetime
) -> None:
    page = coordinator.get("/journeys/why/why").text
    assert "The contact budget is used up (2 in 7d: 2..2; 6 in 30d: 2..2)." in page
    assert "Of 7 people looked at:" in page
    assert "Of the entry query, only “has:email” does not mean them." in page
    assert "Set aside with a fault: rest: broken" in page
    file = coordinator.get("/journeys/why/why.csv").text.splitlines()
    assert file[0] == "step,what,reason,words,people,of_sample,first,last,query"
    assert [line for line in file if line.startswith("hello,skipped,do_not_contact")]
    done = runner.invoke(args=["lifecycle", "why", "--journey", "why", "--json"])
    figures = json.loads(done.stdout)["figures"]
    outside = {one["reason"]: one["people"] for one in figures if one["what"] == "not_entered"}
    assert outside == {"been": 4, "only:0": 1, "only:1": 1, "query": 1}
    assert len(figures) == len(file) - 1
    step = runner.invoke(args=["lifecycle", "why", "--journey", "why", "--step", "rest", "--json"])
    assert {one["step"] for one in json.loads(step.stdout)["figures"]} == {"rest"}
    none = runner.invoke(args=["lifecycle", "why", "--journey", "why", "--step", "no", "--json"])
    assert none.exit_code == 1


def test_one_person_is_told_which_part_fails_with_their_values(
    coordinator: FlaskClient, crowd: dict[str, int], runner: Any, now: datetime
) -> None:
    page = coordinator.get(f"/journeys/why/why/people/{crowd['nowhere']}").text
    assert "class:2026" in page
    assert "class: <strong>2010</strong>" in page
    assert "city: <strong>Nowhere</strong>" in page
    assert f"/journeys/why/why/people/{crowd['older']}" in coordinator.get(
        f"/people/{crowd['older']}").text  # fmt: skip
    inside = coordinator.get(f"/journeys/why/why/people/{crowd['mailed']}").text
    assert "they were in it before, or are in it now" in inside
    assert "People are let in by hand only." in coordinator.get(
        f"/journeys/kin/why/people/{crowd['older']}").text  # fmt: skip
    told = runner.invoke(
        args=["lifecycle", "why", "--id", str(crowd["older"]), "--journey", "why", "--json"]
    )
    found = json.loads(told.stdout)
    assert found["reason"] == "query"
    assert found["failing"][0]["values"] == {"class": "2010"}
    whole = runner.invoke(args=["lifecycle", "why", "--id", str(crowd["older"]), "--json"])
    assert any("Not in the journey Why." in line for line in json.loads(whole.stdout)["reasons"])
