"""Publishing over people who are inside: who moves, who stays, who is let out, and the words."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.errors import Refused
from crm.core.viewer import SYSTEM
from lifecycle.engine.service import advance
from lifecycle.journeys import service
from lifecycle.journeys.differing import differences
from lifecycle.journeys.explain import ways_of
from lifecycle.journeys.models import Enrollment, JourneyVersion
from lifecycle.journeys.reading import read_document
from lifecycle.journeys.takeover import Takeover
from tests.factories import Make
from tests.lifecycle.engine.conftest import TODAY, District

DAY = timedelta(days=1)
HEAD = "journey: plain\nname: Plain\nserves: A goal\nenter: class:2026\nsteps:\n"
FIRST = HEAD + (
    "  - {id: rest, wait: 10d}\n  - {id: think, wait: 10d}\n  - {id: end, exit: done}\n"
)
SECOND = HEAD + (
    "  - {id: hello, wait: 1d}\n  - {id: rest, wait: 20d}\n  - {id: end, exit: done}\n"
)


def publish(session: Session, text: str, at: datetime, **choices: Any) -> None:
    service.publish(session, text, name="x.yaml", by=SYSTEM, at=at, takeover=Takeover(**choices))
    session.commit()


def standing(session: Session) -> dict[int, tuple[int, int, str, datetime]]:
    """Each person's version, step, state and moment."""
    session.expire_all()
    statement = select(
        Enrollment.alumnus_id, JourneyVersion.no, Enrollment.step_no, Enrollment.state,
        Enrollment.wake_at,
    ).join(JourneyVersion, JourneyVersion.id == Enrollment.version_id)  # fmt: skip
    return {row[0]: (row[1], row[2], str(row[3]), row[4]) for row in session.execute(statement)}


@pytest.fixture
def two(session: Session, make: Make, now: datetime) -> tuple[int, int]:
    """One who waits at `think` and one who waits at `rest`, in the first version."""
    thinking = make.alumnus(class_year=2026).id
    publish(session, FIRST, now)
    advance(now)
    advance(now + 10 * DAY)
    resting = make.alumnus(class_year=2026).id
    advance(now + 11 * DAY)
    return thinking, resting


@pytest.mark.parametrize(("dates", "days"), [("keep", 21), ("new", 31)])
def test_those_who_wait_move_by_the_name_of_their_step(
    session: Session, now: datetime, two: tuple[int, int], dates: str, days: int
) -> None:
    thinking, resting = two
    at = now + 12 * DAY
    publish(session, SECOND, at, inside="move", dates=dates, removed={"think": "hello"})
    assert standing(session)[resting][0] == 1  # the next tick moves them
    advance(at)
    advance(at)
    found = standing(session)
    assert found[resting] == (2, 1, "waiting", now + days * DAY)
    assert found[thinking] == (2, 0, "waiting", at + DAY)
    way = ways_of(session, thinking)[0]
    told = [line for _, line in way.steps]
    assert told == ["10d went by.", "Moved from version 1 to version 2."]
    advance(at + DAY)
    assert ways_of(session, thinking)[0].steps[-1][1] == "1d went by."


def test_a_step_that_is_gone_needs_a_word_or_lets_out(
    session: Session, now: datetime, two: tuple[int, int]
) -> None:
    thinking, resting = two
    at = now + 12 * DAY
    with pytest.raises(Refused, match="1 stand at step think of version 1"):
        publish(session, SECOND, at, inside="move")
    with pytest.raises(Refused, match="there is no step “nowhere”"):
        publish(session, SECOND, at, inside="move", removed={"think": "nowhere"})
    publish(session, SECOND, at, inside="move", removed={"think": ""})
    assert advance(at).ended == 1
    assert standing(session)[thinking][2] == "ended"
    assert ways_of(session, thinking)[0].standing.endswith(
        "a new version no longer has their step."
    )
    assert standing(session)[resting][0] == 2


def test_the_old_one_is_stopped_or_left_alone(
    session: Session, now: datetime, two: tuple[int, int]
) -> None:
    at = now + 12 * DAY
    publish(session, SECOND, at)
    advance(at)
    assert {place[0] for place in standing(session).values()} == {1}
    publish(session, SECOND.replace("20d", "30d"), at, inside="stop")
    assert advance(at).ended == 2
    assert {place[2] for place in standing(session).values()} == {"ended"}


def test_a_pause_loses_nobody_who_is_to_move(
    coordinator: FlaskClient, session: Session, now: datetime, two: tuple[int, int]
) -> None:
    at = now + 12 * DAY
    coordinator.post("/journeys/plain/pause")
    publish(session, SECOND, at, inside="move", removed={"think": "rest"})
    advance(at)
    assert {place[0] for place in standing(session).values()} == {1}
    coordinator.post("/journeys/plain/resume")
    advance(at + DAY)
    assert {place[:3:2] for place in standing(session).values()} == {(2, "waiting")}


def test_the_page_shows_who_stands_where_and_asks(
    coordinator: FlaskClient, session: Session, now: datetime, two: tuple[int, int]
) -> None:
    page = coordinator.post("/journeys/check", data={"text": SECOND}).text
    assert "People inside older versions" in page
    assert "this step is gone" in page
    assert "Step rest, wait: was “10d”, is “20d”." in page
    answer = coordinator.post(
        "/journeys/publish",
        data={"text": SECOND, "inside": "move", "dates": "keep", "removed-think": "rest"},
    )
    assert answer.status_code == 303
    compared = coordinator.get("/journeys/plain/compare/1/2").text
    assert "Step think is gone: Wait 10d." in compared
    assert "Step hello is new: Wait 1d." in compared
    bad = coordinator.post("/journeys/publish", data={"text": FIRST, "inside": "lose"})
    assert bad.status_code == 422
    assert coordinator.get("/journeys/plain/compare/1/9").status_code == 404


def test_the_commands_preview_move_and_compare(
    runner: Any, session: Session, now: datetime, two: tuple[int, int], tmp_path: Path
) -> None:
    file = tmp_path / "plain.yaml"
    file.write_text(SECOND)

    def run(*words: str, code: int = 0) -> Any:
        done = runner.invoke(args=["journeys", *words, "--json"])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout.strip().splitlines()[-1])

    checked = run("check", str(file))
    assert [(p["step"], p["people"], p["target"]) for p in checked["inside"]] == [
        ("rest", 1, "rest"), ("think", 1, None)
    ]  # fmt: skip
    assert "say where they go" in run("publish", str(file), "--inside", "move", code=1)["error"][0]
    run("publish", str(file), "--inside", "move", "--removed", "think=rest")
    told = run("diff", "plain", "1", "2")["changes"]
    assert "Step think is gone: Wait 10d." in told
    assert run("diff", "plain", "2", "2")["changes"] == []


def test_two_workers_move_each_person_once(district: District) -> None:
    number = 4_000
    district.publish(FIRST)
    district.people(number)
    district.tick(TODAY)
    with district.app.app_context():
        from crm.core.database import db  # noqa: PLC0415 - only within the app

        publish(db.session(), SECOND, TODAY + DAY, inside="move")
        db.session.remove()
    faults: list[Exception] = []

    def work() -> None:
        try:
            district.tick(TODAY + DAY)
        except Exception as fault:
            faults.append(fault)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    district.tick(TODAY + DAY)
    assert faults == []
    assert district.value("select count(*) from step_run where outcome = 'moved'") == number
    moved = "select count(*) from enrollment e join journey_version v on v.id = e.version_id where v.no = 2 and step_no = 1"  # noqa: E501
    assert district.value(moved) == number


remarks = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=40)


@settings(max_examples=40)
@given(st.lists(remarks, max_size=4), st.sampled_from(["\n", "\r\n"]), st.integers(1, 300))
def test_what_is_exported_is_what_was_imported(remarks: list[str], end: str, days: int) -> None:
    lines = [*(f"# {remark}" for remark in remarks), *FIRST.replace("10d", f"{days}d").splitlines()]
    text = end.join(lines) + end
    document = read_document(text)
    assert document == read_document(text.replace("\r\n", "\n"))
    assert differences(document, read_document(text)) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_export_gives_back_every_byte_and_takes_it_again(
    runner: Any, session: Session, tmp_path: Path, end: str
) -> None:
    raw = ("# ¡Ñandú! – “quoted”\n" + FIRST + "\n# the end\n").replace("\n", end).encode()
    file, copy = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.write_bytes(raw)
    assert runner.invoke(args=["journeys", "publish", str(file)]).exit_code == 0
    assert runner.invoke(args=["journeys", "export", "plain", "--to", str(copy)]).exit_code == 0
    assert copy.read_bytes() == raw
    again = runner.invoke(args=["journeys", "publish", str(copy), "--json"])
    assert json.loads(again.stdout.strip().splitlines()[-1])["created"] is False
