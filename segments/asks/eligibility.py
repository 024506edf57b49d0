"""Who may be asked for a request (law 6), as conditions that the ask itself is written under.

Each obstacle is a condition correlated on `Alumnus.id`, true where it stands in the way. They are
ordered: the first that holds is the reason counted. The desk ranks whom none of them stops, and
`send_wave` asks them again in the statement that writes the asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactStatus,
    Interest,
    InterestKind,
)
from crm.consent.age import AgeRule, minor_on
from crm.consent.queries import address_suppressed, refuses, topic_paused_until
from crm.core.database import among
from crm.core.district import Chosen
from crm.interactions.models import Interaction
from crm.mail.facts import BUDGETED, GONE
from crm.mail.models import Message
from crm.mail.policy import BUDGET
from crm.schools.models import School
from segments.asks.models import PROMISED, Ask, AskState, Commitment
from segments.asks.resting import said_before
from segments.asks.rules import SOONEST, AskCare
from segments.asks.words import WORDS as WORDS
from segments.clearance.models import Clearance
from segments.clearance.policy import ClearancePolicy
from segments.clearance.queries import cleared_on
from segments.mentoring.queries import has_now, takes_at_most
from segments.mentoring.rules import MentoringRules
from segments.requests.models import Request, RequestDate
from segments.requests.queries import dates_of_all

TOPIC = "volunteering"
DEEDS = {"speak": "talk_given", "mentor": "mentoring"}  # other ways leave `help_given`


@dataclass(frozen=True)
class Need:
    """What asking for one request depends on: its values, and the dates that can still be met.

    `mentees` is how many pupils a mentor usually takes; None where it is no mentoring. From the day
    `ready` on, somebody who says yes now could be cleared in time (None: that is not counted on).
    """

    request: Request
    zone: ZoneInfo
    level: int
    dates: tuple[RequestDate, ...]
    at: datetime
    margin_years: int = 0
    mentees: int | None = None
    ready: date | None = None
    care: AskCare = field(default_factory=AskCare)


def need_of(session: Session, request: Request, at: datetime) -> Need:
    """The need of a request as of a moment."""
    return needs_of(session, [request], at)[0]


def needs_of(session: Session, requests: Sequence[Request], at: datetime) -> list[Need]:
    """The needs of requests as of a moment, in their order; a fixed number of statements."""
    schools = among(School.id, {request.school_id for request in requests})
    zones = dict(session.execute(select(School.id, School.time_zone).where(schools)).all())
    choices = dates_of_all(session, [request.id for request in requests])
    choice = Chosen(session, ClearancePolicy, MentoringRules, AgeRule, AskCare)
    policy, rules = choice.of(ClearancePolicy), choice.of(MentoringRules)
    margin, care = choice.of(AgeRule).margin_years, choice.of(AskCare)
    found = []
    for request in requests:
        dates = (d for d in choices.get(request.id, ()) if d.starts_at >= at + SOONEST)
        level = policy.needed_level(request.supervision, request.place)
        zone = ZoneInfo(zones[request.school_id])
        ready = policy.ready(level, at.astimezone(zone).date())
        usual = rules.most if request.way_key in rules.ways else None
        found.append(Need(request, zone, level, tuple(dates), at, margin, usual, ready, care))
    return found


def _helps(way_key: str) -> ColumnElement[bool]:
    """The person is one of `helpers`."""
    parts = [
        exists().where(
            Interest.alumnus_id == Alumnus.id, Interest.kind == InterestKind.WAY,
            Interest.key == way_key,
        ),
        exists().where(
            Ask.alumnus_id == Alumnus.id, Ask.way_key == way_key, Ask.state == AskState.ACCEPTED
        ),
    ]  # fmt: skip
    if way_key in DEEDS:
        did = Interaction.kind == DEEDS[way_key], Interaction.machine.is_(False)
        parts.append(exists().where(Interaction.alumnus_id == Alumnus.id, *did))
    return or_(*parts)


def helpers(way_key: str) -> Select[int]:
    """The ids of those who offer a way to help or helped in it before."""
    found = helping(way_key).subquery()
    return select(found.c.alumnus_id).distinct()


def helping(way_key: str) -> CompoundSelect[int, int]:
    """The same as (`alumnus_id`, `offers`), 1 for an offer and 0 for help given; some twice."""
    offered = select(Interest.alumnus_id, literal(1).label("offers")).where(
        Interest.kind == InterestKind.WAY, Interest.key == way_key
    )
    said_yes = select(Ask.alumnus_id, literal(0)).where(
        Ask.way_key == way_key, Ask.state == AskState.ACCEPTED
    )
    parts = [offered, said_yes]
    if way_key in DEEDS:
        did = select(Interaction.alumnus_id, literal(0)).where(Interaction.kind == DEEDS[way_key])
        parts.append(did.where(Interaction.machine.is_(False)))
    return union_all(*parts)


def cleared_for(need: Need, choice: RequestDate) -> ColumnElement[bool]:
    """The person may work with these pupils on the day of this date choice, or could by then.

    Whose clearance was revoked is not taken on trust: they are asked once they are cleared again.
    """
    day = choice.starts_at.astimezone(need.zone).date()
    cleared = cleared_on(need.level, day, need.request.school_id)
    if need.ready is None or day < need.ready:
        return cleared
    revoked = exists().where(Clearance.alumnus_id == Alumnus.id, Clearance.revoked_on.is_not(None))
    return or_(cleared, ~revoked)


def free_for(choice: RequestDate) -> ColumnElement[bool]:
    """The person has promised nothing else at the time of this date choice."""
    return ~exists().where(
        Commitment.alumnus_id == Alumnus.id,
        Commitment.state.in_(PROMISED),
        Commitment.starts_at < choice.ends_at,
        Commitment.ends_at > choice.starts_at,
    )


def suitable_dates(need: Need) -> ColumnElement[Any]:
    """The ids of the date choices that the person is cleared and free for, as an array."""
    found: list[Any] = [
        case((and_(cleared_for(need, choice), free_for(choice)), literal(choice.id)))
        for choice in need.dates
    ]
    return func.array_remove(array(found, type_=BigInteger), None)


def obstacles(need: Need) -> dict[str, ColumnElement[bool]]:
    """What stands in the way of asking a person, by the keys of `WORDS`."""
    request, today = need.request, need.at.astimezone(need.zone).date()
    of_request = request_obstacles(need)
    del of_request["already_asked"]
    return {
        "way_not_offered": ~_helps(request.way_key),
        **person_obstacles(
            request.way_key, today=today, at=need.at, margin_years=need.margin_years,
            request_id=request.id, care=need.care,
        ),
        **of_request,
    }  # fmt: skip


def request_obstacles(need: Need) -> dict[str, ColumnElement[bool]]:
    """Of the obstacles those that depend on the very request; `person_obstacles` has the others."""
    nobody = literal(value=False)
    return {
        "already_asked": exists().where(
            Ask.alumnus_id == Alumnus.id, Ask.request_id == need.request.id
        ),
        "not_cleared": ~or_(nobody, *(cleared_for(need, choice) for choice in need.dates)),
        **_full(need),
        "busy": ~or_(
            nobody, *(and_(cleared_for(need, c), free_for(c)) for c in need.dates)
        ),
    }  # fmt: skip


def _full(need: Need) -> dict[str, ColumnElement[bool]]:
    """For mentoring: the pupils that a mentor has, and has promised to take, are enough."""
    if need.mentees is None:
        return {}
    promised = select(func.count()).where(
        Commitment.alumnus_id == Alumnus.id, Commitment.state.in_(PROMISED),
        Request.id == Commitment.request_id, Request.way_key == need.request.way_key,
    )  # fmt: skip
    load = has_now() + promised.correlate(Alumnus).scalar_subquery()
    return {"mentor_full": load >= takes_at_most(need.mentees)}


def person_obstacles(
    way_key: str,
    *,
    today: date,
    at: datetime,
    margin_years: int,
    request_id: int | None = None,
    care: AskCare = AskCare(),  # noqa: B008 - frozen
) -> dict[str, ColumnElement[bool]]:
    """What stands in the way of asking a person for a way to help, whatever it is asked for."""
    history = said_before(way_key, at, care)
    if request_id is not None:
        already = exists().where(Ask.alumnus_id == Alumnus.id, Ask.request_id == request_id)
        history = {"already_asked": already, **history}
    return {
        "deceased": Alumnus.deceased.is_(True),
        "blocked": Alumnus.ferpa_block.is_(True),
        "do_not_contact": Alumnus.do_not_contact.is_(True),
        "under_age": minor_on(today, margin_years=margin_years),
        "paused": or_(Alumnus.paused_until >= today, topic_paused_until(TOPIC) >= today),
        "no_address": ~_reachable(),
        "consent_withdrawn": refuses(TOPIC),
        **{word: history[word] for word in WORDS if word in history},
        "contact_budget": _over_budget(at),
    }  # fmt: skip


def _reachable() -> ColumnElement[bool]:
    return exists().where(
        ContactPoint.alumnus_id == Alumnus.id,
        ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.owner == ContactOwner.OWN,
        ContactPoint.status.in_([ContactStatus.OK, ContactStatus.UNCONFIRMED]),
        ~address_suppressed(ContactPoint.key),
    )


def _over_budget(at: datetime) -> ColumnElement[bool]:
    """One more message now would go over what the send policy allows one person."""
    went = func.coalesce(Message.accepted_at, Message.claimed_at)
    full = []
    for limit in BUDGET:
        sent = select(func.count()).where(
            Message.alumnus_id == Alumnus.id,
            Message.message_class.in_(BUDGETED),
            Message.state.in_(GONE),
            went > at - timedelta(days=limit.days),
        )
        full.append(sent.scalar_subquery() >= limit.most)
    return or_(*full)


def first_obstacle(need: Need, *, offered: bool = False) -> ColumnElement[Any]:
    """The first thing in the way as a word of `WORDS`, or null where nothing is.

    With `offered` the people looked at are known to offer the way or to have helped in it.
    """
    found = obstacles(need)
    if offered:
        del found["way_not_offered"]
    return case(*((condition, literal(word)) for word, condition in found.items()))


def why_not(session: Session, need: Need, alumnus_id: int) -> list[str]:
    """Everything that stands in the way of asking this person, as words of `WORDS`."""
    found = obstacles(need)
    statement = select(*(condition.label(word) for word, condition in found.items()))
    row = session.execute(statement.where(Alumnus.id == alumnus_id)).mappings().one_or_none()
    return [word for word in found if row is not None and row[word]]
