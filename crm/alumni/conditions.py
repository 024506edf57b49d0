"""Conditions on a row of alumni that fields, and other areas, are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import REGCONFIG
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.alumni.access import contact_visible
from crm.alumni.folding import (
    begins,
    column_folded,
    equals,
    folded,
    has_words,
    indexed_words,
    lettered,
)
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactStatus,
    ExternalId,
    Interest,
    InterestKind,
    Schooling,
    Subject,
    Way,
)
from crm.alumni.names import fold
from crm.alumni.places import clusters_named, schools_named
from crm.core.database import values_of
from crm.core.errors import Invalid
from crm.core.extend import FieldMatch, QueryContext
from crm.query.conditions import between

Condition = ColumnElement[bool]
Ask = Callable[[FieldMatch, QueryContext], Condition]
Column = InstrumentedAttribute[Any]
FIRST_CLASS = 1800
LARGEST_ID = 2**63 - 1
ZIP = func.left(column_folded(Alumnus.postal_code), 5, type_=Text)


def name_matches(text: str, *, whole: bool = False) -> Condition:
    """Whether any name holds every word of the text, as a beginning or as `whole` words."""
    found = fold(text).split()
    if not found:
        raise Invalid("A name needs at least one letter.")
    query = " & ".join(f"'{word}'" if whole else f"'{word}':*" for word in found)
    simple = cast("simple", REGCONFIG)
    return func.to_tsvector(simple, Alumnus.name_key).bool_op("@@")(func.to_tsquery(simple, query))


def named(match: FieldMatch, context: QueryContext) -> Condition:
    """`name:`: all names together, by the index on their words."""
    return name_matches(match.low, whole=match.exact)


def name_part(column: Column) -> Ask:
    """One of a person's names: it holds the words; the index on all of them finds who may."""

    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        return and_(name_matches(match.low), has_words(column, match.low))

    return condition


def of_class(column: Column) -> Ask:
    """A class year, which is written with all its digits."""

    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        for year in (match.low, match.high):
            if year is not None and not FIRST_CLASS <= year <= 9999:
                raise Invalid("Write a class with all four digits, such as 1999.")
        return between(column, match)

    return condition


def at_school(column: Column) -> Ask:
    """The column names a school of that name."""
    return lambda match, context: column.in_(schools_named(context.session, match.low))


def at_school_then(match: FieldMatch, context: QueryContext) -> Condition:
    """The schooling was at a school of that name then, whatever became of it."""
    return Schooling.school_id.in_(schools_named(context.session, match.low, then=True))


def in_cluster(column: Column) -> Ask:
    """The column names a school of the cluster of that name."""
    return lambda match, context: column.in_(clusters_named(context.session, match.low))


def attends(*conditions: Condition) -> Condition:
    """Has a schooling such as this."""
    return exists().where(Schooling.alumnus_id == Alumnus.id, *conditions)


def attended(ask: Ask) -> Ask:
    """Has a schooling of which the condition is true."""
    return lambda match, context: attends(ask(match, context))


def interest_in(kind: InterestKind) -> Ask:
    """Has the interest of that key."""
    return lambda match, context: interested(kind, Interest.key == match.low)


def interested(kind: InterestKind, *conditions: Condition) -> Condition:
    """Has an interest such as this."""
    mine = Interest.alumnus_id == Alumnus.id, Interest.kind == kind
    return exists().where(*mine, *conditions)


def reached_by(kind: ContactKind, *conditions: Condition) -> Condition:
    """Has an address of their own of this kind that is not known to fail."""
    return exists().where(
        ContactPoint.alumnus_id == Alumnus.id,
        ContactPoint.kind == kind,
        ContactPoint.owner == ContactOwner.OWN,
        ContactPoint.status.in_([ContactStatus.OK, ContactStatus.UNCONFIRMED]),
        *conditions,
    )


def has_address(kind: ContactKind, key_of: Callable[[str], str]) -> Ask:
    """Has that address. Never for people whose addresses the viewer may not see: a search would
    tell it.
    """

    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        found = exists().where(
            ContactPoint.alumnus_id == Alumnus.id,
            ContactPoint.kind == kind,
            ContactPoint.key == key_of(match.low),
        )
        return and_(contact_visible(context.viewer), found)

    return condition


def words(*columns: Column) -> Ask:
    """Any of the columns has the words, each from its beginning."""

    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        lettered(match.low)
        return or_(*(has_words(column, match.low) for column in columns))

    return condition


def indexed(column: Column) -> Ask:
    """`words` of one column of the index on words."""
    return lambda match, context: indexed_words(column, lettered(match.low))


def is_text(column: Column) -> Ask:
    """The column is the text, whatever its case."""
    return lambda match, context: func.coalesce(equals(column, lettered(match.low)), False)


def zip_begins(match: FieldMatch, context: QueryContext) -> Condition:
    """The postal code begins with the text; the index on ZIP codes knows the first five letters."""
    wanted = folded(lettered(match.low)).strip()
    found = ZIP.startswith(wanted[:5], autoescape=True)
    return found if len(wanted) <= 5 else and_(found, begins(Alumnus.postal_code, wanted))


def filled(column: Column) -> Callable[[], Condition]:
    """Something is known there."""
    if column.type.python_type is str:
        return lambda: func.coalesce(column, "") != ""
    return lambda: column.is_not(None)


def choices_of(table: type[Way] | type[Subject]) -> Callable[[Session], Mapping[str, Any]]:
    """The ways or subjects by key, in their shown order."""

    every = select(table.key, table.label).order_by(table.position, table.key)

    def load(session: Session) -> Mapping[str, Any]:
        return {row.key: row.label for row in values_of(session, every)}

    return load


def numbered(match: FieldMatch, context: QueryContext) -> Condition:
    """`id:`: the value of another system, `system:value`, or our own number."""
    system, separator, value = match.low.partition(":")
    known_by = [ExternalId.value == match.low]
    if separator:
        known_by.append(and_(ExternalId.system == system, ExternalId.value == value))
    known: Any = select(ExternalId.alumnus_id).where(or_(*known_by))
    if match.low.isascii() and match.low.isdecimal() and int(match.low) <= LARGEST_ID:
        known = known.union_all(select(literal(int(match.low), BigInteger)))
    return Alumnus.id.in_(known)


def of_age(match: FieldMatch, context: QueryContext) -> Condition:
    """`age:18..25`: full years on the day of the moment, for those whose day of birth is known."""
    years = func.date_part("year", func.age(context.at.date(), Alumnus.birth_date))
    return and_(Alumnus.birth_date.is_not(None), between(years, match))
