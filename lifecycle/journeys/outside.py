"""Why people do not enter a journey: which part of its entry query fails, and by what value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, case, false, func, literal, null, select, true
from sqlalchemy.orm import Session
from sqlalchemy.sql import tablesample

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus, Interest, InterestKind, Schooling
from crm.core.database import among
from crm.core.district import chosen
from crm.core.extend import QueryContext
from crm.core.viewer import Viewer
from crm.query.nodes import All, Node, all_of, negated, terms
from crm.query.parser import parse
from crm.query.sentence import said
from crm.schools.models import School
from lifecycle.continuum.models import Standing
from lifecycle.journeys.definition import Document
from lifecycle.journeys.entering import ControlGroup, arm_of
from lifecycle.journeys.entry import kept_out, meaning
from lifecycle.journeys.models import Journey, JourneyVersion
from lifecycle.journeys.occasions import occasion
from lifecycle.journeys.queries import document_of
from lifecycle.journeys.whys import OUT, SAMPLE, Figure
from lifecycle.journeys.words import NOT_ENTERED

QUERY, NO_OCCASION, BY_HAND, SOON, CONTROL = "query", "occasion", "by_hand", "next_tick", "control"
VALUES: Mapping[str, Any] = {
    "class": Alumnus.class_year, "city": Alumnus.city, "state": Alumnus.state,
    "zip": Alumnus.postal_code, "employer": Alumnus.employer, "job": Alumnus.job_title,
    "college": Alumnus.college, "language": Alumnus.language, "lang": Alumnus.language,
    "graduated": Alumnus.graduated_on,
}  # fmt: skip
"""The value behind a field of queries, where it is one of the person's own."""


@dataclass(frozen=True)
class Failing:
    """One part of an entry query that does not mean a person: its text, in words, their values."""

    text: str
    says: str
    values: Mapping[str, str]


@dataclass(frozen=True)
class Outside:
    """Why one person is not let in: a word of `NOT_ENTERED` or of this module, and what fails."""

    journey: Journey
    reason: str
    failing: Sequence[Failing] = field(default=())

    @property
    def words(self) -> str:
        """The reason in a sentence."""
        if self.reason == QUERY:
            parts = "; ".join(_part_words(part) for part in self.failing)
            return _("The entry query does not mean them: %(parts)s", parts=parts)
        own = {
            NO_OCCASION: _("What lets people in has not happened since the journey listens."),
            BY_HAND: _("People are let in by hand only."),
            SOON: _("Nothing keeps them out: they enter at the next tick."),
        }  # fmt: skip
        return own.get(self.reason) or _("They may not enter: %(why)s.", why=NOT_ENTERED.get(
            self.reason, self.reason))  # fmt: skip


def _part_words(part: Failing) -> str:
    known = ", ".join(f"{name}: {value or _('nothing')}" for name, value in part.values.items())
    return f"“{part.text}”" + (f" ({known})" if known else "")


def conjuncts(document: Document) -> list[Node]:
    """The parts of the entry query that must all hold."""
    if document.enter.when is None:
        return []
    node = parse(document.enter.when)
    return list(node.items) if isinstance(node, All) else [node]


def _judging(
    session: Session, journey: Journey, version: JourneyVersion, document: Document, at: datetime
) -> ColumnElement[Any]:
    """The word of what keeps a person out besides the query; null where nothing does."""
    found = occasion(document.enter, journey_id=journey.id, since=version.events_from or at, at=at)
    missing: list[tuple[Any, Any]] = []
    if found is not None:
        missing.append((found.there.is_not(true()), literal(NO_OCCASION)))
    elif document.enter.when is None or document.enter.by_hand:
        missing.append((true(), literal(BY_HAND)))
    kept = kept_out(session, document, journey_id=journey.id, at=at)
    aside = arm_of(document, chosen(session, ControlGroup), Alumnus.id)
    if aside is not None:
        missing.append((aside.is_not(None), literal(CONTROL)))
    return func.coalesce(kept, case(*missing) if missing else null())


def why_outside(
    session: Session, journey: Journey, version: JourneyVersion, alumnus_id: int, viewer: Viewer,
    at: datetime,
) -> Outside:  # fmt: skip
    """What keeps one person out of a journey now, in two statements."""
    document = document_of(version)
    parts = conjuncts(document)
    tests = [meaning(session, str(part), at).label(f"p{n}") for n, part in enumerate(parts)]
    judged = _judging(session, journey, version, document, at).label("why")
    row = session.execute(select(judged, *tests).where(Alumnus.id == alumnus_id)).one()
    if row[0] is not None and row[0] not in (NO_OCCASION, CONTROL):
        return Outside(journey, row[0])
    failing = [part for part, holds in zip(parts, row[1:], strict=True) if not holds]
    if failing:
        values = _values_of(session, alumnus_id)
        context = QueryContext(session, viewer, at)
        told = [
            Failing(str(part), said(str(part), context), _named(part, values)) for part in failing
        ]
        return Outside(journey, QUERY, told)
    return Outside(journey, row[0] or SOON)


def _values_of(session: Session, alumnus_id: int) -> dict[str, str]:
    """What a person's record says in the fields that entry queries ask most."""

    def interests(kind: InterestKind) -> Any:
        mine = Interest.alumnus_id == Alumnus.id, Interest.kind == kind
        return select(func.string_agg(Interest.key, ", ")).where(*mine).scalar_subquery()

    schools = (
        select(func.string_agg(School.name, ", "))
        .join(Schooling, Schooling.school_id == School.id)
        .where(Schooling.alumnus_id == Alumnus.id)
        .scalar_subquery()
    )
    columns = {
        **VALUES, "stage": Standing.stage, "phase": Standing.phase, "school": schools,
        "way": interests(InterestKind.WAY), "subject": interests(InterestKind.SUBJECT),
    }  # fmt: skip
    statement = (
        select(*columns.values())
        .select_from(Alumnus)
        .outerjoin(Standing, Standing.alumnus_id == Alumnus.id)
        .where(Alumnus.id == alumnus_id)
    )
    row = session.execute(statement).one()
    pairs = zip(columns, row, strict=True)
    return {name: "" if value is None else str(value) for name, value in pairs}


def _named(part: Node, values: Mapping[str, str]) -> dict[str, str]:
    return {term.field: values[term.field] for term in terms(part) if term.field in values}


def not_entered(
    session: Session, journey: Journey, version: JourneyVersion, viewer: Viewer, at: datetime
) -> list[Figure]:
    """Why a sample of people is outside, by reason; with the query that means such people.

    Where a single part of the entry query fails, the figure names it: those are the people whom a
    change of that part would let in.
    """
    document = document_of(version)
    parts = conjuncts(document)
    tests = [
        func.coalesce(meaning(session, str(part), at), false()).label(f"p{n}")
        for n, part in enumerate(parts)
    ]
    judged = _judging(session, journey, version, document, at).label("judged")
    people = select(judged, *tests).where(among(Alumnus.id, _some(session)), visible_alumni(viewer))
    looked = people.limit(SAMPLE).subquery("looked")
    alike = select(func.count(), *looked.c).group_by(*looked.c)
    found: Counter[str] = Counter()
    for number, kept, *holds in session.execute(alike):
        found[_why(kept, holds)] += number
    return [
        Figure("", OUT, why, number, None, None, _which(parts, why), _query(parts, why),
               found.total())
        for why, number in found.most_common()
    ]  # fmt: skip


def _why(kept: str | None, holds: Sequence[bool]) -> str:
    """The reason of one of those looked at."""
    if kept is not None and kept not in (NO_OCCASION, CONTROL):
        return kept
    failing = [number for number, one in enumerate(holds) if not one]
    if failing:
        return QUERY if len(failing) > 1 else f"only:{failing[0]}"
    return kept or SOON


def _some(session: Session) -> Sequence[int]:
    """Ids of about a sample of people, by blocks of the table; of all, where they are few."""
    most = session.scalar(select(func.max(Alumnus.id))) or 0
    percent = min(100.0, 100.0 * SAMPLE * 2 / max(most, 1))
    sampled = tablesample(Alumnus, func.system(percent), seed=literal(1))
    some = select(sampled.c.id) if most > 2 * SAMPLE else select(Alumnus.id)
    return session.scalars(some).all()


def _which(parts: Sequence[Node], why: str) -> Mapping[str, Any] | None:
    word, _colon, number = why.partition(":")
    return {"part": str(parts[int(number)])} if word == "only" else None


def _query(parts: Sequence[Node], why: str) -> str | None:
    """The people whom one part alone keeps out, as a query."""
    word, _colon, number = why.partition(":")
    if word != "only":
        return None
    failing = parts[int(number)]
    rest = [part for part in parts if part is not failing]
    return str(all_of([*rest, negated(failing)]))
