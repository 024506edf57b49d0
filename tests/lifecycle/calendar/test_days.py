"""Days said in words, over clocks that change and years that leap."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.calendar.choices import NamedDay, SchoolCalendar, Span
from lifecycle.calendar.days import moment_after, parse_days
from lifecycle.journeys.steps import WaitUntil

CALENDAR = SchoolCalendar(
    terms=(
        Span(name="Fall", starts=date(2026, 8, 3), ends=date(2026, 12, 18)),
        Span(name="Spring", starts=date(2027, 1, 5), ends=date(2027, 5, 28)),
    ),
    breaks=(
        Span(name="Thanksgiving", starts=date(2026, 11, 23), ends=date(2026, 11, 27)),
        Span(name="Teachers' day", starts=date(2026, 8, 3), ends=date(2026, 8, 3)),
    ),
    days=(NamedDay(key="homecoming", on=date(2026, 10, 16)),),
)
ZONES = ("America/New_York", "Europe/Madrid", "America/Phoenix", "Asia/Kolkata", "Australia/Sydney")


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("monday", "2026-09-15", "2026-09-21"),
        ("Tue", "2026-09-15", "2026-09-15"),
        ("2027-03-01", "2026-09-15", "2027-03-01"),
        ("2026-03-01", "2026-09-15", None),
        ("02-29", "2026-09-15", "2028-02-29"),
        ("second tuesday of term", "2026-09-15", "2027-01-12"),
        ("second tuesday of term", "2026-08-01", "2026-08-11"),
        ("last friday of term", "2026-09-15", "2026-12-18"),
        ("first day of term", "2026-09-15", "2027-01-05"),
        ("last day of term", "2026-12-18", "2026-12-18"),
        ("first monday of month", "2026-09-15", "2026-10-05"),
        ("last friday of october", "2026-09-15", "2026-10-30"),
        ("homecoming", "2026-09-15", "2026-10-16"),
        ("homecoming", "2026-10-17", None),
        ("3w before homecoming", "2026-09-15", "2026-09-25"),
        ("3 weeks before homecoming", "2026-09-26", None),
        ("1d after last day of term", "2026-09-15", "2026-12-19"),
        ("first school day of term", "2026-12-01", "2027-01-05"),
        ("first school day of term", "2026-06-01", "2026-08-04"),
        ("last school day of november", "2026-10-01", "2026-11-30"),
        ("fourth school day of november", "2026-10-01", "2026-11-05"),
        ("2 weeks before the end of term", "2026-09-15", "2026-12-04"),
        ("3d after the start of term", "2026-09-15", "2027-01-08"),
        ("school day", "2026-11-21", "2026-11-30"),
        ("school day", "2027-06-01", None),
    ],
)  # fmt: skip
def test_days_in_words(text: str, start: str, expected: str | None) -> None:
    found = parse_days(text).first(CALENDAR, date.fromisoformat(start))
    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize(
    "text", ["", "2026-02-30", "13-01", "sixth monday of term", "first noon of term", "3 before x",
             "third school day", "first school day of homecoming", "end of school",
             "0w before homecoming", "second tuesday of homecoming", "two words", "3w before 3"],
)  # fmt: skip
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"day|month|write"):
        parse_days(text)


moments = st.integers(1_767_225_600, 1_861_920_000).map(lambda s: datetime.fromtimestamp(s, UTC))
times = st.times().map(lambda t: t.replace(second=0, microsecond=0))
texts = st.sampled_from(
    ["monday", "sun", "02-29", "first sunday of november", "03-08", "school day"]
)


@given(moments, times, st.sampled_from(ZONES), texts)
def test_a_moment_is_ahead_at_that_time_of_that_day_and_no_day_was_passed_over(
    after: datetime, at: time, zone_name: str, text: str
) -> None:
    zone, days = ZoneInfo(zone_name), parse_days(text)
    found = moment_after(days, CALENDAR, after=after, at=at, zone=zone)
    if found is None:
        assert text == "school day"
        return
    local = found.astimezone(zone)
    leapt = datetime.combine(local.date(), at, tzinfo=zone).astimezone(UTC).astimezone(zone)
    assert found > after
    assert local == leapt
    assert local.time().replace(fold=0) == at or leapt.time() > at  # the clock leapt over it
    assert days.first(CALENDAR, local.date()) == local.date()
    earlier = days.first(CALENDAR, after.astimezone(zone).date())
    assert earlier is not None
    if earlier < local.date():
        first = datetime.combine(earlier, at, tzinfo=zone).astimezone(UTC)
        assert first <= after
        assert days.first(CALENDAR, earlier + timedelta(days=1)) == local.date()


def test_over_both_changes_of_the_clock_the_time_on_the_wall_stays() -> None:
    zone = ZoneInfo("America/New_York")
    days = parse_days("monday")
    walls, moment = [], datetime(2026, 2, 28, tzinfo=UTC)
    for _ in range(45):
        found = moment_after(days, CALENDAR, after=moment, at=time(9), zone=zone)
        assert found is not None
        walls.append(found.astimezone(zone).strftime("%a %H:%M"))
        moment = found
    assert set(walls) == {"Mon 09:00"}
    spring = moment_after(
        parse_days("2026-03-08"), CALENDAR, after=datetime(2026, 3, 1, tzinfo=UTC),
        at=time(2, 30), zone=zone,
    )  # fmt: skip
    assert spring == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)  # there is no 2:30: it is 3:30
    autumn = moment_after(
        parse_days("2026-11-01"), CALENDAR, after=datetime(2026, 10, 1, tzinfo=UTC),
        at=time(1, 30), zone=zone,
    )  # fmt: skip
    assert autumn == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # the first of the two


@given(moments, st.sampled_from(["homecoming", "2020-01-01", "monday"]), st.sampled_from(ZONES))
def test_nobody_waits_longer_than_the_longest(since: datetime, until: str, zone: str) -> None:
    step = WaitUntil(id="w", until=until, max=86_400 * 30, next="x")
    found = step.moment(CALENDAR, since=since, zone=ZoneInfo(zone))
    assert since <= found <= since + timedelta(days=30)
