"""A break from one topic: beside the choice, up to a day, and only ever longer by a file."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.consent.models import ConsentEntry, ConsentSource, ConsentState
from crm.consent.queries import choices_of, standing_of
from crm.consent.service import grant, withdraw
from crm.consent.topic_pauses import pause_topic, pauses_of
from crm.core.errors import Invalid, NotAllowed
from crm.core.viewer import SYSTEM
from crm.duplicates import merging
from crm.links.tokens import issue
from crm.mail import reasons
from crm.mail.models import MessageClass
from crm.mail.whether import answers
from tests.factories import Make

DAY = timedelta(days=1)
LAST = date(2026, 10, 1)


def stopped(session: Session, person_id: int, at: datetime) -> dict[str, tuple[str, ...]]:
    """By topic, why marketing mail would not go at a moment."""
    return {
        a.topic.key: a.reasons
        for a in answers(session, person_id, at=at)
        if a.topic and a.message_class is MessageClass.MARKETING and a.reasons
    }


def take(session: Session, person_id: int, until: date | None, at: datetime, **more: Any) -> bool:
    more = {"topic_key": "news", "source": ConsentSource.LINK, **more}
    return pause_topic(session, person_id, until=until, at=at, **more)


def test_a_break_stops_its_topic_alone_up_to_and_with_its_day(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus(time_zone="America/New_York")
    before = stopped(session, person.id, now)
    assert "news" not in before
    assert take(session, person.id, LAST, now)
    assert stopped(session, person.id, now) == {**before, "news": (reasons.TOPIC_PAUSED,)}
    night = datetime.fromisoformat("2026-10-02T03:59:00+00:00")  # still 1 October over there
    assert stopped(session, person.id, night)["news"] == (reasons.TOPIC_PAUSED,)
    assert "news" not in stopped(session, person.id, night + timedelta(minutes=1))
    assert choices_of(session, person.id)["news"], "what they chose stays as it is"


def test_a_break_from_a_topic_that_was_left_never_brings_it_back(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    withdraw(session, person.id, topic_key="news", source=ConsentSource.LINK, at=now)
    assert take(session, person.id, LAST, now)
    both = (reasons.CONSENT_WITHDRAWN, reasons.TOPIC_PAUSED)
    assert stopped(session, person.id, now)["news"] == both
    later = now + 60 * DAY
    assert stopped(session, person.id, later)["news"] == (reasons.CONSENT_WITHDRAWN,)


def test_the_end_of_a_break_or_a_new_yes_ends_it_and_nothing_is_said_twice(
    session: Session, make: Make, now: datetime
) -> None:
    person, today = make.alumnus(), now.date()
    assert not take(session, person.id, None, now)
    assert take(session, person.id, LAST, now)
    assert not take(session, person.id, LAST, now)
    assert pauses_of(session, person.id, today=today) == {"news": LAST}
    assert pauses_of(session, person.id, today=LAST + DAY) == {}
    assert take(session, person.id, None, now)
    assert pauses_of(session, person.id, today=today) == {}
    take(session, person.id, LAST, now)
    withdraw(session, person.id, topic_key="news", source=ConsentSource.LINK, at=now)
    grant(session, person.id, topic_key="news", source=ConsentSource.LINK, at=now)
    assert pauses_of(session, person.id, today=today) == {}


@pytest.mark.parametrize(
    "source", [ConsentSource.IMPORT, ConsentSource.PROVIDER, ConsentSource.MERGE]
)
def test_who_may_only_tighten_makes_a_break_longer_and_never_shorter(
    session: Session, make: Make, now: datetime, source: ConsentSource
) -> None:
    person = make.alumnus()
    take(session, person.id, LAST, now)
    assert not take(session, person.id, LAST - DAY, now, source=source)
    assert take(session, person.id, LAST + DAY, now, source=source)
    with pytest.raises(NotAllowed):
        take(session, person.id, None, now, source=source)
    assert pauses_of(session, person.id, today=now.date()) == {"news": LAST + DAY}
    with pytest.raises(Invalid):
        take(session, person.id, LAST, now, topic_key="nothing-of-ours")


@pytest.mark.parametrize("seed", range(8))
def test_breaks_among_choices_change_no_choice(
    session: Session, make: Make, now: datetime, seed: int
) -> None:
    dice, (plain, paused) = random.Random(seed), (make.alumnus(), make.alumnus())
    for n in range(25):
        at, topic = now + n * DAY, dice.choice(["news", "giving", None])
        verb = dice.choice([withdraw, grant])
        for person in (plain, paused):
            verb(session, person.id, topic_key=topic, source=ConsentSource.LINK, at=at)
        take(session, paused.id, dice.choice([None, (at + 9 * DAY).date()]), at,
             topic_key=dice.choice(["news", "giving"]))  # fmt: skip
        assert choices_of(session, paused.id) == choices_of(session, plain.id)
        allowed = [
            [(s.topic.key, s.allowed) for s in standing_of(session, person.id)]
            for person in (plain, paused)
        ]
        assert allowed[0] == allowed[1]
    states = {e.state for e in session.scalars(select(ConsentEntry))}
    assert states == set(ConsentState)


def test_the_longer_break_of_two_records_holds_and_goes_with_the_merge(
    session: Session, make: Make, now: datetime
) -> None:
    kept, gone = make.alumnus("Ana"), make.alumnus("Ana")
    take(session, kept.id, LAST, now)
    take(session, gone.id, LAST + DAY, now)
    take(session, gone.id, LAST, now, topic_key="events")
    done = merging.merge(session, kept.id, gone.id, at=now, by=SYSTEM)
    assert pauses_of(session, kept.id, today=now.date()) == {"news": LAST + DAY, "events": LAST}
    merging.unmerge(session, done.id, at=now + DAY, by=SYSTEM)
    assert pauses_of(session, kept.id, today=now.date()) == {"news": LAST}
    assert pauses_of(session, gone.id, today=now.date()) == {"news": LAST + DAY, "events": LAST}


def test_a_break_and_a_no_told_while_two_records_were_one_hold_for_both(
    session: Session, make: Make, now: datetime
) -> None:
    kept, gone = make.alumnus("Ana"), make.alumnus("Ana")
    done = merging.merge(session, kept.id, gone.id, at=now, by=SYSTEM)
    withdraw(session, kept.id, topic_key="news", source=ConsentSource.LINK, at=now + DAY)
    take(session, kept.id, LAST, now + 2 * DAY)
    merging.unmerge(session, done.id, at=now + 3 * DAY, by=SYSTEM)
    for person in (kept, gone):
        assert not choices_of(session, person.id)["news"]
        assert pauses_of(session, person.id, today=now.date()) == {"news": LAST}


def test_a_person_takes_a_break_from_a_topic_on_their_own_page_and_takes_it_back(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    rosa = make.alumnus()
    token = issue("profile", alumnus_id=rosa.id, epoch=rosa.link_epoch, at=now)
    assert client.post(f"/me/{token}", data={"break-news": "keep"}).status_code == 200
    assert session.scalars(select(ConsentEntry)).all() == []
    page = client.post(f"/me/{token}", data={"break-news": "month", "break-events": "keep"}).text
    assert "A break from one topic only" in page
    (entry,) = session.scalars(select(ConsentEntry))
    assert (entry.state, entry.topic_key, entry.until, entry.source, entry.reference) == (
        ConsentState.PAUSED, "news", date(2026, 10, 14), ConsentSource.LINK, "link:profile",
    )  # fmt: skip
    assert "Until Oct 14, 2026, as now" in client.get(f"/me/{token}").text
    before = page.partition('name="before" value="')[2].partition('"')[0]
    assert client.post(f"/me/{token}/undo", data={"before": before}).status_code == 303
    assert pauses_of(session, rosa.id, today=now.date()) == {}


def test_staff_write_down_a_break_from_a_topic_and_their_pages_say_it(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    li = make.alumnus()
    data = {
        "pause-topic": "news", "pause-break_for": "day", "pause-until": "2026-10-01",
        "pause-wording": "rang us",
    }  # fmt: skip
    assert coordinator.post(f"/people/{li.id}/consent/pause", data=data).status_code == 303
    session.expire_all()
    assert li.paused_until is None
    assert pauses_of(session, li.id, today=now.date()) == {"news": LAST}
    done = select(AuditEntry.detail).where(AuditEntry.action == "consent.paused")
    assert session.scalars(done).one()["topic"] == "news"
    ledger = coordinator.get(f"/people/{li.id}/consent").text
    assert "wants a break from" in ledger
    assert "rang us" in ledger
    person = coordinator.get(f"/people/{li.id}").text
    assert "a break until Oct 1, 2026" in person
    assert "they asked for a break from this topic" in person
    assert "The break holds up to" in person


def test_the_database_takes_no_break_without_a_topic_and_no_day_without_a_break(
    session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    for state, topic, until in (
        ("paused", "null", "null"),
        ("withdrawn", "'news'", "'2026-10-01'"),
    ):
        with pytest.raises(Exception, match="ck_consent_entry"), session.begin_nested():
            session.execute(
                text(
                    "insert into consent_entry "
                    "(alumnus_id, topic_key, state, source, reference, wording, at, until) "
                    f"values (:id, {topic}, '{state}', 'link', '', '', now(), {until})"
                ),
                {"id": person.id},
            )
