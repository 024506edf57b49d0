"""Whether one message may go now: a function of facts, with no database and no clock (law 7).

The answer is to go, to wait until a moment, or a reason why not. The facts are gathered for whole
batches in `crm.mail.facts`. What somebody is waiting for (immediate mail) passes by topics, budget
and quiet hours, but never goes to the dead nor to an address that bounced or complained.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from crm.consent.age import adult_on, under_age
from crm.consent.models import SuppressionReason
from crm.mail import reasons
from crm.mail.hours import Hours, first_open
from crm.mail.models import MessageClass

DISTRICT_ZONE = "America/New_York"
USUAL = Hours()
"""When mail goes where a district chose nothing else: between 8 and 20 o'clock."""
OPENS, CLOSES = USUAL.opens, USUAL.closes
DEFER = "defer"


@dataclass(frozen=True)
class Limit:
    """At most so many messages to one person in so many days, from all schools together."""

    most: int
    days: int


BUDGET = (Limit(most=2, days=7), Limit(most=6, days=30))
"""The contact budget: what one person may get of marketing and asks together."""
LONGEST = timedelta(days=max(limit.days for limit in BUDGET))


@dataclass(frozen=True)
class Facts:
    """What the policy looks at. `sent` holds when recent marketing and asks went, oldest first.

    `for_minors` says that the district lets this message go to people under 18 (`AgeRule`).
    `hours` are the district's, `window` the message's own. `on_cap` is what it does where the
    contact budget is used up: `defer`, or anything else to be skipped at once.
    """

    message_class: MessageClass
    person: bool = True
    merged: bool = False
    deceased: bool = False
    ferpa_block: bool = False
    do_not_contact: bool = False
    paused_until: date | None = None
    topic_paused_until: date | None = None
    birth_date: date | None = None
    class_year: int | None = None
    graduated_on: date | None = None
    enrolled: bool = False
    for_minors: bool = False
    margin_years: int = 0
    time_zone: str | None = None
    address: str | None = None
    bounced: bool = False
    suppression: SuppressionReason | None = None
    refusal: str | None = None
    gate: str | None = None
    language: str | None = None
    duplicate: bool = False
    expires_at: datetime | None = None
    sent: tuple[datetime, ...] = ()
    hours: Hours = USUAL
    window: Hours | None = None
    on_cap: str = DEFER


@dataclass(frozen=True)
class Go:
    """It may be handed over now."""


@dataclass(frozen=True)
class Wait:
    """Not before this moment."""

    until: datetime


@dataclass(frozen=True)
class Skip:
    """Never, and why: a word of `crm.mail.reasons`."""

    reason: str


Decision = Go | Wait | Skip


def decide(facts: Facts, *, at: datetime) -> Decision:
    """What to do with a message at a moment (that of its delivery)."""
    reason = _never(facts) or facts.gate
    if reason is None and facts.message_class is not MessageClass.IMMEDIATE:
        reason = _not_this_person(facts, at) or facts.refusal or _not_this_topic(facts, at)
    if reason is None:
        reason = _address_fault(facts)
    if reason is None and facts.expires_at is not None and facts.expires_at <= at:
        reason = reasons.EXPIRED
    if reason is None and facts.language is None:
        reason = reasons.NO_LANGUAGE
    if reason is None and facts.duplicate:
        reason = reasons.DUPLICATE_ADDRESS
    if reason is not None:
        return Skip(reason)
    if facts.message_class is MessageClass.IMMEDIATE or not facts.person:
        return Go()
    return _when(facts, at)


def _never(facts: Facts) -> str | None:
    """What nothing passes by."""
    if facts.merged:
        return reasons.MERGED
    return reasons.DECEASED if facts.deceased else None


def _not_this_person(facts: Facts, at: datetime) -> str | None:
    """What stands on the person and stops all but immediate mail."""
    if facts.ferpa_block:
        return reasons.BLOCKED
    if facts.do_not_contact:
        return reasons.DO_NOT_CONTACT
    today = local_day(at, facts.time_zone)
    if not facts.for_minors and under_age(adult_from(facts), today):
        return reasons.UNDER_AGE
    if facts.paused_until is not None and facts.paused_until >= today:
        return reasons.PAUSED
    return None


def _not_this_topic(facts: Facts, at: datetime) -> str | None:
    """A break from the topic stops it up to and with a day where the person lives."""
    until = facts.topic_paused_until
    paused = until is not None and until >= local_day(at, facts.time_zone)
    return reasons.TOPIC_PAUSED if paused else None


def _address_fault(facts: Facts) -> str | None:
    if facts.address is None:
        return reasons.BOUNCED if facts.bounced else reasons.NO_ADDRESS
    if facts.suppression is None:
        return None
    if facts.suppression is SuppressionReason.BOUNCED:
        return reasons.BOUNCED
    hard = facts.suppression is SuppressionReason.COMPLAINED
    if facts.message_class is MessageClass.IMMEDIATE and not hard:
        return None
    return reasons.SUPPRESSED


def _when(facts: Facts, at: datetime) -> Decision:
    """Go now, or wait for a free slot and an open hour, unless that would be too late."""
    free = slot_frees(facts.sent, at)
    if free > at and facts.on_cap != DEFER:
        return Skip(reasons.CONTACT_BUDGET)
    moment = next_open(max(free, at), facts.time_zone, facts.hours, facts.window)
    if moment <= at:
        return Go()
    if facts.expires_at is not None and moment >= facts.expires_at:
        return Skip(reasons.CONTACT_BUDGET if free > at else reasons.EXPIRED)
    return Wait(moment)


def adult_from(facts: Facts) -> date | None:
    """The day from which the person counts as 18; None where nothing speaks for being younger."""
    return adult_on(
        facts.birth_date, facts.class_year, facts.graduated_on, enrolled=facts.enrolled,
        margin_years=facts.margin_years,
    )  # fmt: skip


def local_day(at: datetime, time_zone: str | None) -> date:
    """The day it is where the person lives."""
    return at.astimezone(zone_of(time_zone)).date()


def slot_frees(sent: tuple[datetime, ...], at: datetime) -> datetime:
    """The moment from which the contact budget allows one more; `at` or before if it does now."""
    free = at
    for limit in BUDGET:
        window = timedelta(days=limit.days)
        recent = sorted(moment for moment in sent if moment > at - window)
        if len(recent) >= limit.most:
            free = max(free, recent[len(recent) - limit.most] + window)
    return free


def next_open(
    at: datetime, time_zone: str | None, hours: Hours = USUAL, window: Hours | None = None
) -> datetime:
    """`at` if it is open where the person lives, else the next moment that is.

    A message's own window that never meets the district's hours gives way to them.
    """
    zone = zone_of(time_zone)
    found = first_open(at, zone, hours, window) if window is not None else None
    return found or first_open(at, zone, hours) or at


@lru_cache(maxsize=512)
def zone_of(name: str | None) -> ZoneInfo:
    """The zone of a name, or the district's for none or an unknown one."""
    try:
        return ZoneInfo(name or DISTRICT_ZONE)
    except (ValueError, OSError, KeyError):
        return ZoneInfo(DISTRICT_ZONE)
