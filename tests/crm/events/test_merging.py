"""Two records of one person, both invited: one invitation counts, and un-merging is exact."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM
from crm.duplicates.merging import merge, unmerge
from crm.events.answers import Reply, respond
from crm.events.inviting import invite, tick
from crm.events.models import Answer, Event
from crm.events.queries import figures_of_one, invitation_of, taken
from crm.mail.models import Message
from tests.crm.events.conftest import Planned, invitation, invited
from tests.factories import Make

MINUTE = timedelta(minutes=1)


def rows(session: Session) -> list[str]:
    session.flush()
    return list(session.scalars(text("select t::text from event_invitation t order by id")))


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
    mine = invitation_of(session, event.id, {kept.id, gone.id})
    assert mine is not None
    assert mine.alumnus_id == kept.id
    assert figures(session, event)["invited"] == 1
    assert taken(session, event.id) == (mine.party if stays is Answer.COMING else 0)
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
