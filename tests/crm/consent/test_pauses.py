"""A break that is named by its length instead of a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from crm.consent.pauses import Break, last_day
from crm.links.tokens import issue
from tests.factories import Make

days = st.dates(date(2020, 1, 1), date(2100, 1, 1))


@given(days)
def test_a_named_break_ends_where_its_words_say_and_never_before_it_begins(today: date) -> None:
    ends = {
        named: last_day(named, None, held=None, today=today)
        for named in (Break.MONTH, Break.SEPTEMBER, Break.NEW_YEAR)
    }
    month, september, new_year = (end for end in ends.values() if end)
    assert timedelta(days=26) < month - today < timedelta(days=31)
    assert (september.month, september.day) == (8, 31)
    assert (new_year.month, new_year.day) == (12, 31)
    for end in (september, new_year):
        assert today <= end < today + timedelta(days=366)


@pytest.mark.parametrize(
    ("named", "typed", "expected"),
    [
        (Break.NONE, "2026-12-01", None),
        (Break.NONE, "2026-12-24", "2026-12-24"),
        (Break.DAY, "2026-12-24", "2026-12-24"),
        (Break.DAY, "", None),
        (Break.MONTH, "2026-12-01", "2026-10-14"),
        (Break.SEPTEMBER, "", "2027-08-31"),
        (Break.NEW_YEAR, "2026-12-01", "2026-12-31"),
        ("forever", "", "2026-12-01"),
    ],
)
def test_a_break_is_chosen_in_plain_words_or_by_a_day_by_the_person_and_by_staff(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime, named: str, typed: str,
    expected: str | None,
) -> None:  # fmt: skip
    held = date(2026, 12, 1)
    rosa, li = (make.alumnus(paused_until=held) for _ in range(2))
    token = issue("profile", alumnus_id=rosa.id, epoch=rosa.link_epoch, at=now)
    coordinator.post(f"/me/{token}", data={"break_for": named, "pause": typed})
    coordinator.post(
        f"/people/{li.id}/consent/pause",
        data={"pause-break_for": named, "pause-until": typed, "pause-wording": "rang us"},
    )
    session.expire_all()
    wanted = date.fromisoformat(expected) if expected else None
    assert (rosa.paused_until, li.paused_until) == (wanted, wanted)
