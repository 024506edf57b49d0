"""A row that cannot be worked is set aside alone, at every kind of step, and tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import get_args

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM
from crm.mail.content import Variant, save_content
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.steps import Step
from tests.factories import Make

DAY = timedelta(days=1)
HEAD = "journey: {}\nname: Park\nserves: A goal\nenter: {}\nsteps:\n"
END = "  - {id: end, exit: done}\n"
KINDS = {
    "send": "{id: it, send: letter, topic: news}", "wait": "{id: it, wait: 1d}",
    "wait_until": "{id: it, wait_until: 2026-09-16}",
    "wait_for": "{id: it, wait_for: replied, max: 1d, yes: end, no: end}",
    "branch": "{id: it, branch: has:way, yes: end, no: end}",
    "split": "{id: it, split: {end: 1, other: 1}}\n  - {id: other, exit: other}",
    "set": "{id: it, set: {subject: health}}", "enter": "{id: it, enter: kin}",
    "task": "{id: it, task: Call them}", "ask": "{id: it, ask: mentor}",
    "exit": "{id: it, exit: gone}",
}  # fmt: skip
WRITES = {
    "send": "message", "set": "interest", "task": "staff_task", "ask": "ask",
    "enter": "enrollment e join journey j on j.id = e.journey_id and j.key = 'kin'",
}  # fmt: skip


def test_every_kind_of_step_is_tried_here() -> None:
    union = get_args(Step)[0]
    kinds = {part.model_fields["kind"].default for part in get_args(union)}
    assert kinds == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_one_bad_row_is_parked_alone_shown_and_tried_again(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime, kind: str
) -> None:
    variants = {"en": Variant("Hello", "", "A line.")}
    save_content(
        session, key="letter", name="Letter", topic_key="news", variants=variants, by=SYSTEM, at=now
    )
    people = [make.alumnus(class_year=2015).id for _ in range(5)]
    end = END if kind != "exit" else ""
    for source in (
        HEAD.format("kin", "city:Nowhere") + END,
        HEAD.format("park", "class:2015") + "  - {id: rest, wait: 1d}\n  - "
        + KINDS[kind] + "\n" + end,
    ):  # fmt: skip
        service.publish(session, source, name="x.yaml", by=SYSTEM, at=now)
    session.commit()
    advance(now)
    bad = session.scalar(text("select max(id) from enrollment"))
    poison = {"bad": bad, "at": now}
    session.execute(
        text("""insert into step_run (enrollment_id, seq, entered_on, step_no, outcome, at)
            select id, 1, (entered_at at time zone 'UTC')::date, 0, 'poison', :at
            from enrollment where id = :bad"""),
        poison,
    )
    session.commit()
    for days in (1, 2, 3):
        assert advance(now + days * DAY).stuck <= 1
    state = "select e.state, count(*) from enrollment e join journey j on j.id = e.journey_id "
    state += "where j.key = 'park' group by 1 order by 1"
    assert [tuple(row) for row in session.execute(text(state))] == [("ended", 4), ("stuck", 1)]
    if kind in WRITES:
        assert session.scalar(text(f"select count(*) from {WRITES[kind]}")) == 4
    assert "1 person is set aside with a fault." in coordinator.get("/journeys/park").text
    shown = coordinator.get("/journeys/park/people?step=it&state=stuck").text
    assert "it: duplicate key" in shown
    assert f"/people/{people[-1]}" in shown
    assert f"/people/{people[0]}" not in shown
    session.execute(text("delete from step_run where outcome = 'poison'"))
    coordinator.post("/journeys/park/retry")
    for days in (3, 4, 5):
        advance(now + days * DAY)
    assert [tuple(row) for row in session.execute(text(state))] == [("ended", 5)]
    if kind in WRITES:
        assert session.scalar(text(f"select count(*) from {WRITES[kind]}")) == 5
    fault = session.scalar(text("select fault from journey where key = 'park'"))
    assert fault is None
