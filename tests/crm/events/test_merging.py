"""Two records of one person, both invited: one invitation counts, and un-merging is exact."""

from __future__ import annotations

import runpy
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.errors import Invalid
from crm.core.viewer import SYSTEM
from crm.duplicates.merging import merge, unmerge
from crm.events import door, service
from crm.events.answers import Reply, respond
from crm.events.inviting import invite, tick
from crm.events.models import Answer, Event
from crm.events.plan import Plan
from crm.events.queries import figures_of_one, invitation_of, taken
from crm.interactions.models import Interaction
from crm.mail.models import Message
from tests.crm.events.conftest import Planned, invitation, invited
from tests.factories import Make

MINUTE = timedelta(minutes=1)


def rows(session: Session, *tables: str) -> list[str]:
    session.flush()
    names = tables or ("event_invitation",)
    statements = (text(f"select t::text from {name} t order by id") for name in names)
    return [row for statement in statements for row in session.scalars(statement)]


def figures(session: Session, event: Event) -> dict[str, int]:
    return {name: n for name, n in figures_of_one(session, event).to_json().items() if n}


@pytest.mark.parametrize(
    ("kept_says", "gone_says", "stays"),
    [
        ("", "", Answer.NONE),
        ("yes", "", Answer.COMING),
        ("", "yes", Answer.COMING),
        ("yes", "no", Answer.DECLINED),
        ("no", "yes", Answer.COMING),
        ("yes", "yes", Answer.COMING),
    ],
)
def test_of_two_invitations_the_latest_word_counts_once_and_unmerging_is_exact(
    session: Session, make: Make, planned: Planned, kept_says: str, gone_says: str, stays: Answer
) -> None:
    event, kept, gone = planned(capacity=9, guests_allowed=2), make.alumnus(), make.alumnus()
    both = invited(session, make, event, kept, gone)
    for n, (mine, word) in enumerate(zip(both, (kept_says, gone_says), strict=True)):
        if word:
            respond(session, mine.id, Reply(word, guests=n), at=make.at + n * MINUTE)
    before, told = rows(session), figures(session, event)
    done = merge(session, kept.id, gone.id, at=make.at + 5 * MINUTE, by=SYSTEM)
    assert invitation(session, event, kept).answer is stays
    one = invitation_of(session, event.id, {kept.id, gone.id})
    assert one is not None
    assert one.alumnus_id == kept.id
    assert figures(session, event)["invited"] == 1
    assert taken(session, event.id) == (one.party if stays is Answer.COMING else 0)
    unmerge(session, done.id, at=make.at + 6 * MINUTE, by=SYSTEM)
    assert rows(session) == before
    assert figures(session, event) == told


def test_who_came_by_one_of_them_came(session: Session, make: Make, planned: Planned) -> None:
    event, kept, gone = planned(), make.alumnus(), make.alumnus()
    first, second = invited(session, make, event, kept, gone)
    respond(session, first.id, Reply("no"), at=make.at)
    second.came_at = make.at
    session.flush()
    merge(session, kept.id, gone.id, at=make.at, by=SYSTEM)
    assert invitation(session, event, kept).came_at is not None
    assert figures(session, event)["came"] == 1


def test_nobody_is_invited_or_reminded_twice_and_a_freed_place_is_given(
    session: Session, make: Make, planned: Planned
) -> None:
    event = planned(capacity=2, reminders=(20,))
    kept, gone, waits = make.alumnus(), make.alumnus(), make.alumnus()
    for mine in invited(session, make, event, kept, gone, waits):
        respond(session, mine.id, Reply("yes"), at=make.at)
    assert invitation(session, event, waits).answer is Answer.WAITING
    merge(session, kept.id, gone.id, at=make.at, by=SYSTEM)
    session.commit()
    tick(make.at + MINUTE)
    assert invitation(session, event, waits).answer is Answer.COMING
    assert taken(session, event.id) == 2
    again = invite(session, event, f"id:{kept.id}", by=SYSTEM, at=make.at + MINUTE)
    assert (again.new, again.already) == (0, 1)
    reminders = select(Message.alumnus_id).where(Message.origin.endswith("/reminder"))
    assert gone.id not in set(session.scalars(reminders))


DEEDS = st.lists(
    st.tuples(st.booleans(), st.sampled_from(["yes", "no", "maybe", "in", "out"])), max_size=8
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DEEDS, st.booleans(), st.booleans())
@example([(True, "in"), (False, "in")], False, False)
@example([(True, "no"), (True, "in"), (False, "yes"), (False, "in")], False, True)
def test_who_came_by_both_came_once_and_unmerging_gives_each_attendance_back(
    session: Session, make: Make, planned: Planned, deeds: list[tuple[bool, str]], turned: bool,
    taken_back: bool,
) -> None:  # fmt: skip
    with session.begin_nested() as savepoint:
        event, first, second = planned(guests_allowed=2), make.alumnus(), make.alumnus()
        for n, (whose, word) in enumerate(deeds):
            do(session, event, first if whose else second, word, make.at + n * MINUTE)
        before = rows(session, "event_invitation", "interaction")
        came = figures(session, event).get("came", 0)
        kept, gone = (second, first) if turned else (first, second)
        done = merge(session, kept.id, gone.id, at=event.starts_at, by=SYSTEM)
        assert figures(session, event).get("came", 0) == min(came, 1)
        assert attendances(session, kept) == min(came, 1)
        if taken_back and door.undo(session, event, kept.id, by=SYSTEM, at=event.starts_at):
            assert attendances(session, kept) == 0
            door.check_in(session, event, kept.id, by=SYSTEM, at=event.starts_at)
            assert attendances(session, kept) == 1
        unmerge(session, done.id, at=event.starts_at, by=SYSTEM)
        if not taken_back:
            assert rows(session, "event_invitation", "interaction") == before
        assert attendances(session, kept) + attendances(session, gone) == came
        savepoint.rollback()
    session.expire_all()


def do(session: Session, event: Event, person: Alumnus, word: str, at: datetime) -> None:
    """Let somebody answer two weeks before, or be checked in or out at the beginning."""
    if word == "in":
        door.check_in(session, event, person.id, by=SYSTEM, at=event.starts_at)
    elif word == "out":
        door.undo(session, event, person.id, by=SYSTEM, at=event.starts_at)
    else:
        invite(session, event, f"id:{person.id}", by=SYSTEM, at=at)
        mine = invitation(session, event, person)
        respond(session, mine.id, Reply(word), at=at)


def attendances(session: Session, person: Alumnus) -> int:
    """How often the record says that somebody was there."""
    theirs = Interaction.alumnus_id == person.id, Interaction.kind == door.KIND
    return session.scalar(select(func.count()).where(*theirs)) or 0


def test_a_place_given_on_meanwhile_is_said_and_nobody_loses_theirs(
    session: Session, make: Make, planned: Planned, coordinator: FlaskClient
) -> None:
    event = planned(capacity=2)
    kept, gone, waits, late = (make.alumnus() for _ in range(4))
    for mine in invited(session, make, event, kept, gone, waits, late):
        respond(session, mine.id, Reply("yes"), at=make.at)
    done = merge(session, kept.id, gone.id, at=make.at, by=SYSTEM)
    session.commit()
    tick(make.at + MINUTE)
    page = coordinator.post(f"/duplicates/merges/{done.id}/undo", follow_redirects=True).text
    assert "Class reunion now has 3 places promised and 2 to give" in page
    assert [invitation(session, event, who).answer for who in (kept, gone, waits, late)] == [
        Answer.COMING, Answer.COMING, Answer.COMING, Answer.WAITING
    ]  # fmt: skip
    assert "More places are promised than there are" in coordinator.get(f"/events/{event.key}").text
    respond(session, invitation(session, event, kept).id, Reply("no"), at=make.at + 2 * MINUTE)
    assert taken(session, event.id) == 2
    assert invitation(session, event, late).answer is Answer.WAITING
    assert "More places" not in coordinator.get(f"/events/{event.key}").text


def test_an_event_with_too_many_promised_can_still_be_edited(
    session: Session, make: Make, planned: Planned, plan: Plan
) -> None:
    event, people = planned(capacity=2), [make.alumnus() for _ in range(3)]
    for mine in invited(session, make, event, *people):
        mine.answer = Answer.COMING
    session.flush()
    better = replace(plan, capacity=2, place="The larger gym")
    service.edit(session, event, better, by=SYSTEM, at=make.at)
    assert event.place == "The larger gym"
    with pytest.raises(Invalid):
        service.edit(session, event, replace(better, capacity=1), by=SYSTEM, at=make.at)


def test_an_attendance_that_an_earlier_merge_doubled_is_laid_back(
    session: Session, make: Make, planned: Planned
) -> None:
    event, kept, gone = planned(), make.alumnus(), make.alumnus()
    for person in (kept, gone):
        do(session, event, person, "in", make.at)
    before = rows(session, "interaction")
    done = merge(session, kept.id, gone.id, at=event.starts_at, by=SYSTEM)
    left = session.scalars(select(Interaction).where(Interaction.alumnus_id == gone.id)).one()
    left.alumnus_id = kept.id
    done.moved = {**done.moved, "interaction": [str(left.id)]}
    session.flush()
    assert attendances(session, kept) == 2
    versions = Path(__file__).parents[3] / "migrations/versions"
    step = runpy.run_path(str(versions / "0036_one_attendance.py"))
    for _ in range(2):
        session.execute(text(step["LEFT_BEHIND"]))
        session.expire_all()
        assert attendances(session, kept) == attendances(session, gone) == 1
    assert done.moved["interaction"] == []
    unmerge(session, done.id, at=event.starts_at, by=SYSTEM)
    assert rows(session, "interaction") == before
