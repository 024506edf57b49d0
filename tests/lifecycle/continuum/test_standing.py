"""Who stands where: phases, stages, moves and their reasons, within the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.alumni.models import AlumnusChange
from crm.core.errors import Refused
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM, Role
from crm.interactions.models import Interaction, Mode
from crm.query import QueryError, compile_query
from lifecycle.continuum import definition
from lifecycle.continuum.explain import reasons, why
from lifecycle.continuum.models import Standing, StandingMove
from lifecycle.continuum.service import sweep
from lifecycle.continuum.verifying import verify
from tests.factories import Make

DAY = timedelta(days=1)


def standing(session: Session, alumnus_id: int) -> tuple[str, str]:
    row = session.get(Standing, alumnus_id, populate_existing=True)
    assert row is not None
    return row.phase, row.stage


def find(session: Session, query: str, at: datetime) -> set[int]:
    return set(session.scalars(compile_query(query, QueryContext(session, SYSTEM, at)).ids))


@pytest.mark.parametrize(
    ("graduated", "year", "phase"),
    [
        (date(2027, 6, 1), 2027, "senior"),
        (date(2026, 9, 16), 2026, "senior"),
        (date(2026, 9, 15), 2026, "new_graduate"),
        (date(2025, 9, 16), 2025, "new_graduate"),
        (date(2025, 9, 15), 2025, "early"),
        (date(2021, 9, 15), 2021, "building"),
        (date(2011, 9, 15), 2011, "established"),
        (date(1996, 9, 15), 1996, "legacy"),
        (None, 2025, "early"),
        (None, None, "unknown"),
        (None, 12, "unknown"),
    ],
)
def test_phases_count_from_graduation(
    session: Session,
    make: Make,
    now: datetime,
    graduated: date | None,
    year: int | None,
    phase: str,
) -> None:
    person = make.alumnus(class_year=year, graduated_on=graduated)
    sweep(session, now)
    assert standing(session, person.id) == (phase, "quiet")


def test_a_stage_is_risen_to_kept_and_lost_with_its_reasons(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(class_year=2010)
    make.interaction(person, "event_attended", Mode.EXPERIENTIAL, days_ago=100)
    sweep(session, now - 50 * DAY)
    assert standing(session, person.id)[1] == "aware"
    make.interaction(person, "talk_given", Mode.VOLUNTEER, days_ago=10)
    sweep(session, now)
    assert standing(session, person.id)[1] == "involved"
    told = reasons(session, person.id, now)
    assert told[0] == "Phase Established: graduation on June 1, 2010."
    assert told[1].startswith(
        "Stage Involved: reached on September 5, 2026 with 8 points from 2 occasions within 540"
    )
    assert "Leading takes 20 points from 4 occasions" in told[3]
    sweep(session, now + 800 * DAY)
    moves = session.scalars(select(StandingMove).order_by(StandingMove.id)).all()
    assert [(m.from_key, m.to_key, m.cause["rule"]) for m in moves if m.axis == "stage"] == [
        (None, "aware", "rise"), ("aware", "involved", "rise"), ("involved", "quiet", "lapse"),
    ]  # fmt: skip
    chain = list(why(session, person.id, now + 800 * DAY))
    assert any("it carried 730 days, until September 4, 2028" in line for line in chain)


def test_clicks_of_one_afternoon_and_of_machines_count_once_and_never(
    session: Session, make: Make, now: datetime
) -> None:
    eager, robot = make.alumnus(), make.alumnus()
    for hour in range(6):
        make.interaction(eager, "link_clicked", Mode.COMMUNICATION, days_ago=3 + hour / 24)
        make.interaction(robot, "link_clicked", Mode.COMMUNICATION, days_ago=hour, machine=True)
    sweep(session, now)
    assert standing(session, eager.id)[1] == "aware"
    assert standing(session, robot.id)[1] == "quiet"


def test_work_follows_what_changed(
    session: Session, make: Make, now: datetime, queries: list[str]
) -> None:
    people = [make.alumnus() for _ in range(5)]
    assert sweep(session, now) == 5
    assert session.scalars(select(AlumnusChange.id)).all() == []
    assert sweep(session, now) == 0
    make.interaction(people[2])
    queries.clear()
    assert sweep(session, now) == 1
    assert len(queries) <= 10


def test_merging_and_moving_interactions_places_both_sides(
    session: Session, make: Make, now: datetime
) -> None:
    kept, gone = make.alumnus(), make.alumnus()
    deed = make.interaction(gone)
    sweep(session, now)
    session.execute(update(Interaction).where(Interaction.id == deed.id).values(alumnus_id=kept.id))
    sweep(session, now)
    assert (standing(session, kept.id)[1], standing(session, gone.id)[1]) == ("aware", "quiet")
    gone.merged_into_id = kept.id
    session.flush()
    sweep(session, now)
    assert session.get(Standing, gone.id, populate_existing=True) is None
    assert verify(session, now).differing == 0


def test_verify_finds_what_was_tampered_with_and_sets_the_pending_apart(
    session: Session, make: Make, now: datetime
) -> None:
    people = [make.alumnus() for _ in range(4)]
    sweep(session, now)
    session.execute(
        text("update standing set stage = 'leading' where alumnus_id = :i"), {"i": people[0].id}
    )
    make.interaction(people[1])
    found = verify(session, now)
    assert (found.checked, found.differing, found.pending) == (3, 1, 1)
    assert found.examples == [people[0].id]


def test_a_new_definition_places_everybody_again(
    session: Session, make: Make, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = make.alumnus(class_year=2010)
    make.interaction(person, "reply", Mode.COMMUNICATION)
    sweep(session, now)
    assert standing(session, person.id)[1] == "aware"
    ladder = definition.continuum()
    stages = list(ladder.stages)
    rise = definition.Rise(points=2, within_days=365)
    stages[1] = stages[1].model_copy(update={"rise": rise})
    stricter = ladder.model_copy(update={"stages": tuple(stages)})
    monkeypatch.setattr("lifecycle.continuum.service.continuum", lambda: stricter)
    sweep(session, now)
    assert standing(session, person.id)[1] == "quiet"
    cause = session.scalars(select(StandingMove.cause).order_by(StandingMove.id.desc())).first()
    assert cause == {"rule": "history"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("keep_days: 540", "keep_days: 5"), "keep_days must not be less than within_days"),
        (("communication: 1", "communication: -1"), "none below 0"),
        (("from_year: 15", "from_year: 3"), "order of from_year"),
        (("volunteer: 5", "voluntary: 5"), "points"),
        (("key: quiet", "key: unknown"), "keys must differ"),
        (("rise: {points: 1,", "rise: {point: 1,"), "Extra inputs are not permitted"),
        (("stages:", "stages: ["), "line"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    path = tmp_path / "continuum.yaml"
    path.write_text(definition.FILE.read_text().replace(*change))
    with pytest.raises(Refused) as caught:
        definition.read(path)
    assert said in str(caught.value)
    assert "continuum.yaml" in str(caught.value)


def test_the_query_language_knows_the_continuum(
    session: Session, make: Make, now: datetime
) -> None:
    quiet, aware = make.alumnus(class_year=2016), make.alumnus(class_year=2024)
    lost = make.alumnus(class_year=None)
    make.interaction(aware, "reply", Mode.COMMUNICATION, days_ago=1)
    sweep(session, now)
    assert find(session, "stage:aware..", now) == {aware.id}
    assert find(session, "stage:..aware", now) == {quiet.id, aware.id, lost.id}
    assert find(session, "phase:early..building", now) == {quiet.id, aware.id}
    assert find(session, "phase:unknown", now) == {lost.id}
    assert find(session, "-phase:early", now) == {quiet.id, lost.id}
    assert find(session, "years:2,10", now) == {quiet.id, aware.id}
    assert find(session, "years:3..", now) == {quiet.id}
    assert find(session, "years:-2147483647..2147483647", now) == {quiet.id, aware.id}
    assert find(session, "moved:30d", now) == set()
    make.interaction(quiet, "reply", Mode.COMMUNICATION, days_ago=1)
    sweep(session, now)
    assert find(session, "moved:30d", now + DAY) == {quiet.id}
    assert find(session, "moved:30d", now + 60 * DAY) == set()
    with pytest.raises(QueryError, match="Did you mean involved"):
        find(session, "stage:involvd", now)


def test_the_map_counts_only_whom_the_viewer_may_know_of(
    session: Session, make: Make, now: datetime, login_as: Callable[[User], FlaskClient]
) -> None:
    near, far = make.school(), make.school()
    for school in (near, far, far):
        person = make.alumnus(class_year=2010, school=school)
        make.interaction(person, "reply", Mode.COMMUNICATION)
    make.alumnus(class_year=2010, school=near, ferpa_block=True)
    sweep(session, now)
    session.commit()

    def cell(user: User) -> str:
        page = login_as(user).get("/").text
        return page.split('aria-label="Established, Aware: ')[1].split('"')[0]

    assert cell(make.user()) == "3"
    assert cell(make.user(Role.SCHOOL, school=near)) == "1"
    assert (
        "Established, Quiet: 1" not in login_as(make.user(Role.SCHOOL, school=near)).get("/").text
    )


def test_a_leap_day_graduate_has_anniversaries(session: Session, make: Make) -> None:
    person = make.alumnus(class_year=2024, graduated_on=date(2024, 2, 29))
    sweep(session, datetime(2025, 2, 27, 23, 59, tzinfo=UTC))
    assert standing(session, person.id)[0] == "new_graduate"
    sweep(session, datetime(2025, 2, 28, tzinfo=UTC))
    assert standing(session, person.id)[0] == "early"
    assert verify(session, datetime(2025, 2, 28, tzinfo=UTC)).differing == 0
