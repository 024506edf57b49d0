"""What a confirmed wish becomes: a record, or words on the one that it surely is about.

A record is only ever completed when the person named a fact that a stranger would not know, it is
the only one, and it has no address of its own yet; else a new record is made, and who may be the
same person is proposed as a pair. Nothing is merged by anybody but a person of the office.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.adding import add_person
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ExternalId,
    InterestKind,
    Schooling,
    SchoolingStatus,
)
from crm.alumni.names import sort_key
from crm.alumni.service import put_email, set_interests
from crm.consent import service as consent
from crm.consent.models import ConsentSource
from crm.consent.queries import choices_of, suppression_of, topics
from crm.core.errors import NotFound
from crm.door.joining import ORIGIN, digest, known_by
from crm.door.models import JoinPending
from crm.door.seniors import WORKING, senior_year
from crm.duplicates.models import DuplicatePair, PairState
from crm.interactions.models import Mode
from crm.interactions.service import record
from crm.links.letters import send_letter
from crm.links.service import DAY, mask
from crm.portal.queries import interests
from crm.portal.service import OWN_WISH

SOURCE = "join"
LIKELY = 0.9
"""The chance that a proposed pair begins with; the nightly pass weighs it by its own model."""
MOST = 5


@dataclass(frozen=True)
class Confirmed:
    """The record, and whether this very press made or completed it."""

    alumnus: Alumnus
    now: bool


def pending(session: Session, token: str, *, lock: bool = False) -> JoinPending:
    """The row that a letter's link is about; raises `NotFound` for no link of ours."""
    statement = select(JoinPending).where(JoinPending.token_hash == digest(token))
    row = session.scalars(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NotFound("There is no such link.")
    return row


def confirm(session: Session, row: JoinPending, *, at: datetime) -> Confirmed:
    """Make a locked row's wish true, once; the row then forgets everything but whose it was."""
    if row.confirmed_at is not None:
        return Confirmed(session.get_one(Alumnus, row.alumnus_id), now=False)
    wish = row.wish
    # They may have become known by another way since the letter went.
    person = known_by(session, row.email_key, wish)
    if person is None:
        person = _become(session, row, wish, at=at)
    row.confirmed_at, row.alumnus_id = at, person.id
    row.email, row.email_key, row.wish = "", "", {}
    session.flush()
    return Confirmed(person, now=True)


def _become(
    session: Session, row: JoinPending, wish: Mapping[str, Any], *, at: datetime
) -> Alumnus:
    person = _surely(session, wish)
    if person is None:
        alike = _alike(session, wish)
        person = _new(session, wish, row.language, at=at)
        _propose(session, person.id, alike, at=at)
    else:
        _tell_school_address(session, person, row.email, at=at)
    put_email(
        session, person, row.email, owner=ContactOwner.OWN, preferred=True, source=SOURCE, at=at
    )
    mine = interests(session, person.id, [InterestKind.WAY])[InterestKind.WAY]
    ways = mine | set(wish.get("ways", ()))
    set_interests(session, person.id, kind=InterestKind.WAY, keys=ways, source=SOURCE, at=at)
    _choose(session, person.id, row, at=at)
    audit.record(session, "alumnus.joined", kind="alumnus", key=person.id, by=None, at=at)
    record(
        session, person.id, occurred_at=at, kind="profile_updated", mode=Mode.COMMUNICATION,
        dedupe_key=f"profile_updated:{person.id}:{at:%Y-%m-%d}", origin=ORIGIN,
    )  # fmt: skip
    return person


def _new(session: Session, wish: Mapping[str, Any], language: str, *, at: datetime) -> Alumnus:
    seniors = senior_year(at.date())
    schoolings = [
        (
            school, year,
            SchoolingStatus.ENROLLED if year >= seniors else SchoolingStatus.GRADUATED,
        )
        for school, year in wish["schools"]
    ]  # fmt: skip
    values = {
        "given_name": wish["given_name"], "family_name": wish["family_name"],
        "former_name": wish.get("former_name", ""), "birth_date": _born(wish),
        "class_year": max(year for _, year in wish["schools"]), "language": language,
    }  # fmt: skip
    return add_person(session, values, schoolings, made_by=SOURCE, at=at)


def _choose(session: Session, alumnus_id: int, row: JoinPending, *, at: datetime) -> None:
    """Write down each topic as the person chose it, in the words that they saw."""
    wanted = set(row.wish.get("topics", ())) & {topic.key for topic in topics(session)}
    said = {
        "source": ConsentSource.LINK, "at": at, "reference": f"join:{row.id}",
        "wording": row.wish["wording"],
    }  # fmt: skip
    for key, gets in choices_of(session, alumnus_id).items():
        if key in wanted:
            consent.grant(session, alumnus_id, topic_key=key, **said)
        elif gets:
            consent.withdraw(session, alumnus_id, topic_key=key, **said)
    held = suppression_of(session, row.email_key)
    if wanted and held is not None and held.reason in OWN_WISH:
        consent.lift(session, row.email_key, at=at)


def _surely(session: Session, wish: Mapping[str, Any]) -> Alumnus | None:
    """The one record that this is about, by name, school and a fact that strangers lack."""
    facts: list[ColumnElement[bool]] = []
    if number := str(wish.get("student_number") or "").strip():
        numbered = ExternalId.alumnus_id == Alumnus.id, ExternalId.value == number
        facts.append(exists().where(*numbered))
    if born := _born(wish):
        facts.append(Alumnus.birth_date == born)
    if not facts:
        return None
    own = exists().where(
        ContactPoint.alumnus_id == Alumnus.id, ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.owner == ContactOwner.OWN, ContactPoint.status.in_(WORKING),
    )  # fmt: skip
    statement = select(Alumnus).where(
        _same_name(wish), _same_class(wish), or_(*facts), ~own, Alumnus.deceased.is_(False),
    )  # fmt: skip
    found = session.scalars(statement.order_by(Alumnus.id).limit(2).with_for_update()).all()
    if len(found) != 1 or _contradicts(found[0], wish):
        return None
    return found[0]


def _contradicts(person: Alumnus, wish: Mapping[str, Any]) -> bool:
    born = _born(wish)
    return born is not None and person.birth_date is not None and person.birth_date != born


def _alike(session: Session, wish: Mapping[str, Any]) -> Sequence[int]:
    """Records of that name in one of the classes: perhaps the same person."""
    statement = select(Alumnus).where(_same_name(wish), _same_class(wish))
    found = session.scalars(statement.order_by(Alumnus.id).limit(MOST)).all()
    return [person.id for person in found if not _contradicts(person, wish)]


def _same_name(wish: Mapping[str, Any]) -> ColumnElement[bool]:
    said = Alumnus(given_name=wish["given_name"], family_name=wish["family_name"])
    return and_(Alumnus.sort_key == sort_key(said), Alumnus.merged_into_id.is_(None))


def _same_class(wish: Mapping[str, Any]) -> ColumnElement[bool]:
    return or_(
        *(
            exists().where(
                Schooling.alumnus_id == Alumnus.id, Schooling.school_id == school,
                Schooling.class_year == year,
            )
            for school, year in wish["schools"]
        )
    )  # fmt: skip


def _propose(session: Session, new_id: int, alike: Sequence[int], *, at: datetime) -> None:
    rows = [
        {
            "first_id": min(new_id, other), "second_id": max(new_id, other),
            "probability": LIKELY, "reasons": ["given_name", "family_name", "class_year"],
            "state": PairState.OPEN, "found_at": at, "note": "",
        }
        for other in alike
    ]  # fmt: skip
    if rows:
        session.execute(insert(DuplicatePair).values(rows).on_conflict_do_nothing())


def _tell_school_address(session: Session, person: Alumnus, email: str, *, at: datetime) -> None:
    """Tell the address that the school gave them: whoever it was, the pupil reads it there."""
    told = session.scalars(
        select(ContactPoint)
        .where(
            ContactPoint.alumnus_id == person.id, ContactPoint.kind == ContactKind.EMAIL,
            ContactPoint.owner == ContactOwner.SCHOOL, ContactPoint.status.in_(WORKING),
        )
        .order_by(ContactPoint.id)
        .limit(1)
    ).one_or_none()  # fmt: skip
    if told is not None:
        send_letter(
            session, "address-changed", key=f"join-told:{person.id}:{at.isoformat()}",
            to_address=told.value, language=person.language, merge={"new_address": mask(email)},
            origin="link:confirm", at=at, expires_at=at + DAY, alumnus_id=person.id,
        )  # fmt: skip


def _born(wish: Mapping[str, Any]) -> date | None:
    text = wish.get("birth_date")
    return date.fromisoformat(text) if text else None
