"""The send policy as a function of facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.consent.age import adult_on, under_age
from crm.consent.models import SuppressionReason
from crm.mail import reasons
from crm.mail.models import MessageClass
from crm.mail.policy import (
    BUDGET,
    CLOSES,
    OPENS,
    Facts,
    Go,
    Skip,
    Wait,
    decide,
    next_open,
    slot_frees,
    zone_of,
)

NOON = datetime(2026, 9, 15, 16, 0, tzinfo=UTC)
GOOD = Facts(MessageClass.MARKETING, address="ada@mail.example", language="en")

days_ago = st.floats(0, 40, allow_nan=False)
facts = st.builds(
    Facts,
    message_class=st.sampled_from(MessageClass),
    merged=st.booleans(),
    deceased=st.booleans(),
    ferpa_block=st.booleans(),
    do_not_contact=st.booleans(),
    paused_until=st.none() | st.dates(date(2026, 9, 1), date(2026, 10, 1)),
    birth_date=st.none() | st.dates(date(1950, 1, 1), date(2015, 1, 1)),
    time_zone=st.sampled_from([None, "Asia/Tokyo", "Europe/Paris", "Mars/Base", "America/Denver"]),
    address=st.none() | st.just("ada@mail.example"),
    bounced=st.booleans(),
    suppression=st.none() | st.sampled_from(SuppressionReason),
    refusal=st.none() | st.sampled_from([reasons.CONSENT_WITHDRAWN, reasons.NO_CONSENT]),
    gate=st.none() | st.just(reasons.RELEASED),
    language=st.none() | st.just("en"),
    duplicate=st.booleans(),
    expires_at=st.none() | st.integers(-5, 20).map(lambda d: NOON + timedelta(days=d)),
    sent=st.lists(days_ago, max_size=8).map(
        lambda ago: tuple(sorted(NOON - timedelta(days=d) for d in ago))
    ),
)


@given(facts, st.integers(0, 48).map(lambda h: NOON + timedelta(hours=h)))
def test_whoever_may_not_get_it_never_does(known: Facts, at: datetime) -> None:
    if not isinstance(decide(known, at=at), Go):
        return
    assert not any([known.merged, known.deceased, known.gate, known.duplicate])
    assert known.address
    assert known.language
    assert known.suppression not in {SuppressionReason.BOUNCED, SuppressionReason.COMPLAINED}
    assert known.expires_at is None or known.expires_at > at
    if known.message_class is MessageClass.IMMEDIATE:
        return
    stops = [known.ferpa_block, known.do_not_contact, known.refusal, known.suppression]
    assert not any(stops)
    today = at.astimezone(zone_of(known.time_zone)).date()
    assert not under_age(adult_on(known.birth_date, None, None), today)
    assert known.paused_until is None or known.paused_until < today
    assert OPENS <= at.astimezone(zone_of(known.time_zone)).time() < CLOSES
    for limit in BUDGET:
        recent = [m for m in known.sent if m > at - timedelta(days=limit.days)]
        assert len(recent) < limit.most


@given(facts, st.integers(0, 48).map(lambda h: NOON + timedelta(hours=h)))
def test_whatever_waits_goes_at_that_moment_if_nothing_else_changes(
    known: Facts, at: datetime
) -> None:
    decision = decide(known, at=at)
    if isinstance(decision, Wait):
        assert decision.until > at
        paused_then = known.paused_until and known.paused_until >= decision.until.date()
        assert not paused_then
        assert isinstance(decide(known, at=decision.until), Go)


@given(facts)
def test_every_skip_has_a_sentence(known: Facts) -> None:
    decision = decide(known, at=NOON)
    assert not isinstance(decision, Skip) or decision.reason in reasons.SENTENCES


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"deceased": True}, reasons.DECEASED), ({"merged": True}, reasons.MERGED),
        ({"suppression": SuppressionReason.COMPLAINED}, reasons.SUPPRESSED),
        ({"suppression": SuppressionReason.BOUNCED}, reasons.BOUNCED),
        ({"address": None}, reasons.NO_ADDRESS),
        ({"address": None, "bounced": True}, reasons.BOUNCED),
    ],
)  # fmt: skip
def test_not_even_a_code_somebody_waits_for_goes(change: dict[str, object], reason: str) -> None:
    known = replace(GOOD, message_class=MessageClass.IMMEDIATE, **change)  # type: ignore[arg-type]
    assert decide(known, at=NOON) == Skip(reason)


@pytest.mark.parametrize(
    "change",
    [
        {"ferpa_block": True}, {"do_not_contact": True}, {"refusal": reasons.NO_CONSENT},
        {"birth_date": date(2010, 1, 1)}, {"paused_until": date(2027, 1, 1)},
        {"suppression": SuppressionReason.UNSUBSCRIBED}, {"sent": (NOON,) * 9},
    ],
)  # fmt: skip
def test_a_code_somebody_waits_for_goes_where_news_would_not(change: dict[str, object]) -> None:
    news = replace(GOOD, **change)  # type: ignore[arg-type]
    assert not isinstance(decide(news, at=NOON), Go)
    code = replace(news, message_class=MessageClass.IMMEDIATE)
    assert decide(code, at=NOON + timedelta(hours=12)) == Go()


def test_the_third_in_a_week_waits_until_the_first_is_a_week_ago() -> None:
    first = NOON - timedelta(days=5)
    known = replace(GOOD, sent=(first, NOON - timedelta(days=1)))
    assert decide(known, at=NOON) == Wait(first + timedelta(days=7))


def test_what_would_wait_too_long_is_skipped_for_the_budget() -> None:
    known = replace(GOOD, sent=(NOON, NOON), expires_at=NOON + timedelta(days=6))
    assert decide(known, at=NOON) == Skip(reasons.CONTACT_BUDGET)


def test_the_month_counts_as_well_as_the_week() -> None:
    sent = tuple(NOON - timedelta(days=d) for d in (29, 25, 20, 16, 12, 9))
    assert slot_frees(sent, NOON) == NOON + timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "local", "opens"),
    [
        ("America/New_York", "2026-03-07T22:00", "2026-03-08T08:00"),
        ("America/New_York", "2026-10-31T21:00", "2026-11-01T08:00"),
        ("Asia/Kathmandu", "2026-09-15T05:00", "2026-09-15T08:00"),
        (None, "2026-09-15T07:59", "2026-09-15T08:00"),
        ("Nowhere/Land", "2026-09-15T20:00", "2026-09-16T08:00"),
    ],
)
def test_night_waits_for_eight_o_clock_there_summer_time_or_not(
    zone: str | None, local: str, opens: str
) -> None:
    there = ZoneInfo("America/New_York") if zone in {None, "Nowhere/Land"} else ZoneInfo(str(zone))
    at = datetime.fromisoformat(local).replace(tzinfo=there).astimezone(UTC)
    expected = datetime.fromisoformat(opens).replace(tzinfo=there)
    assert next_open(at, zone) == expected
