"""The fields of the query language that the alumni area answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from babel.core import Locale
from flask_babel import lazy_gettext as _
from sqlalchemy import BigInteger, ColumnElement, and_, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import REGCONFIG
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.alumni.access import contact_visible, visible_alumni
from crm.alumni.folding import begins, column_folded, equals, folded, has_words
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
    SchoolingStatus,
    Subject,
    Way,
)
from crm.alumni.names import fold
from crm.alumni.places import clusters_named, schools_named
from crm.core.errors import Invalid
from crm.core.extend import (
    Extensions,
    FieldKind,
    FieldMatch,
    QueryBase,
    QueryContext,
    QueryField,
)

Condition = ColumnElement[bool]
Column = InstrumentedAttribute[Any]
FIRST_CLASS = 1800
LARGEST_ID = 2**63 - 1


def name_matches(text: str, *, whole: bool = False) -> Condition:
    """Whether any name holds every word of the text, as a beginning or as `whole` words."""
    found = fold(text).split()
    if not found:
        raise Invalid("A name needs at least one letter.")
    query = " & ".join(f"'{word}'" if whole else f"'{word}':*" for word in found)
    simple = cast("simple", REGCONFIG)
    return func.to_tsvector(simple, Alumnus.name_key).bool_op("@@")(func.to_tsquery(simple, query))


def between(column: Any, match: FieldMatch) -> Condition:
    """The column within the closed range of a number."""
    low = [column >= match.low] if match.low is not None else []
    high = [column <= match.high] if match.high is not None else []
    return and_(*low, *high)


def during(column: Any, match: FieldMatch) -> Condition:
    """The column within the half-open range of moments."""
    low = [column >= match.low] if match.low is not None else []
    high = [column < match.high] if match.high is not None else []
    return and_(column.is_not(None), *low, *high)


def _name(match: FieldMatch, context: QueryContext) -> Condition:
    return name_matches(match.low, whole=match.exact)


def _class(match: FieldMatch, context: QueryContext) -> Condition:
    for year in (match.low, match.high):
        if year is not None and not FIRST_CLASS <= year <= 9999:
            raise Invalid("Write a class with all four digits, such as 1999.")
    return between(Alumnus.class_year, match)


def _school(match: FieldMatch, context: QueryContext) -> Condition:
    return attends(Schooling.school_id.in_(schools_named(context.session, match.low)))


def _school_then(match: FieldMatch, context: QueryContext) -> Condition:
    return attends(Schooling.school_id.in_(schools_named(context.session, match.low, then=True)))


def _cluster(match: FieldMatch, context: QueryContext) -> Condition:
    return attends(Schooling.school_id.in_(clusters_named(context.session, match.low)))


def attends(*conditions: Condition) -> Condition:
    """Has a schooling such as this."""
    return exists().where(Schooling.alumnus_id == Alumnus.id, *conditions)


def _interest(kind: InterestKind) -> Callable[[FieldMatch, QueryContext], Condition]:
    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        return interested(kind, Interest.key == match.low)

    return condition


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


def _words(*columns: Column) -> Callable[[FieldMatch, QueryContext], Condition]:
    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        _lettered(match.low)
        return or_(*(has_words(column, match.low) for column in columns))

    return condition


def _state(match: FieldMatch, context: QueryContext) -> Condition:
    return func.coalesce(equals(Alumnus.state, _lettered(match.low)), False)


def _zip(match: FieldMatch, context: QueryContext) -> Condition:
    return func.coalesce(begins(Alumnus.postal_code, _lettered(match.low)), False)


def _lettered(text: str) -> str:
    if not folded(text).strip():
        raise Invalid("A text needs at least one letter or digit.")
    return text


def _language(match: FieldMatch, context: QueryContext) -> Condition:
    return Alumnus.language == str(match.low)


def _languages(session: Session) -> Mapping[str, Any]:
    """Every language by its code, as files and profiles write it, with its English name."""
    return {code.replace("_", "-"): name for code, name in Locale("en").languages.items()}


def _id(match: FieldMatch, context: QueryContext) -> Condition:
    system, separator, value = match.low.partition(":")
    named = [ExternalId.value == match.low]
    if separator:
        named.append(and_(ExternalId.system == system, ExternalId.value == value))
    known: Any = select(ExternalId.alumnus_id).where(or_(*named))
    if match.low.isascii() and match.low.isdecimal() and int(match.low) <= LARGEST_ID:
        known = known.union_all(select(literal(int(match.low), BigInteger)))
    return Alumnus.id.in_(known)


def _email(match: FieldMatch, context: QueryContext) -> Condition:
    """Never for people whose address the viewer may not see: a search would tell it."""
    key = match.low.strip().lower()
    found = exists().where(
        ContactPoint.alumnus_id == Alumnus.id,
        ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.key == key,
    )
    return and_(contact_visible(context.viewer), found)


def _custom(match: FieldMatch, context: QueryContext) -> Condition:
    if match.exact:
        return Alumnus.custom.contains({match.name: match.low})
    column = Alumnus.custom[match.name].astext
    wanted = " ".join(folded(_lettered(match.low)).split())
    return func.concat(" ", column_folded(column)).contains(f" {wanted}", autoescape=True)


def _choices(table: type[Way] | type[Subject]) -> Callable[[Session], Mapping[str, Any]]:
    def load(session: Session) -> Mapping[str, Any]:
        rows = session.execute(select(table.key, table.label).order_by(table.position, table.key))
        return {row.key: row.label for row in rows}

    return load


def _flag(key: str, label: Any, condition: Callable[[], Condition]) -> QueryField:
    return QueryField(key, label, FieldKind.FLAG, lambda match, context: condition(), example=key)


def _text(
    key: str,
    label: Any,
    condition: Callable[[FieldMatch, QueryContext], Condition],
    example: str,
    *aliases: str,
) -> QueryField:
    return QueryField(key, label, FieldKind.TEXT, condition, aliases=aliases, example=example)


FIELDS = (
    _text("name", _("Name"), _name, "ana"),
    QueryField(
        "class", _("Class"), FieldKind.NUMBER, _class, aliases=("year",), example="class:2010..2015"
    ),
    _text("school", _("School"), _school, 'school:"Booker T. Washington"'),
    _text("attended", _("School, as it was then"), _school_then, 'attended:"Old Mill"'),
    _text("cluster", _("Cluster"), _cluster, "cluster:jackson"),
    QueryField(
        "way", _("Way to help"), FieldKind.CHOICE, _interest(InterestKind.WAY),
        choices=_choices(Way), example="way:mentor,speak", aliases=("ways",),
    ),
    QueryField(
        "subject", _("Subject"), FieldKind.CHOICE, _interest(InterestKind.SUBJECT),
        choices=_choices(Subject), example="subject:health", aliases=("topic", "interest"),
    ),
    QueryField(
        "lang", _("Language"), FieldKind.CHOICE, _language,
        choices=_languages, example="lang:es", aliases=("language",),
    ),
    _text("city", _("City"), _words(Alumnus.city), "city:macon"),
    _text("state", _("State"), _state, "state:GA"),
    _text("zip", _("Postal code"), _zip, "zip:303", "postal_code"),
    _text("employer", _("Employer"), _words(Alumnus.employer), "employer:delta"),
    _text("job", _("Job"), _words(Alumnus.job_title), "job:nurse", "title"),
    _text("field", _("Field of work"), _words(Alumnus.field_of_work), "field:health"),
    _text("college", _("College"), _words(Alumnus.college), "college:spelman"),
    _text("id", _("Number"), _id, "id:00042", "external"),
    _text("email", _("Mail address"), _email, "email:ana@mail.example"),
    _text("custom.", _("Custom field"), _custom, "custom.club:chess"),
    QueryField(
        "updated", _("Last changed"), FieldKind.DATE,
        lambda match, context: during(Alumnus.updated_at, match), example="updated:30d",
    ),
    QueryField(
        "added", _("Added"), FieldKind.DATE,
        lambda match, context: during(Alumnus.created_at, match), example="added:2026-09",
    ),
    _flag("has:email", _("Working mail address"), lambda: reached_by(ContactKind.EMAIL)),
    _flag("has:phone", _("Working phone number"), lambda: reached_by(ContactKind.PHONE)),
    _flag("has:postal", _("Postal address"), lambda: reached_by(ContactKind.POSTAL)),
    _flag("has:work", _("Job or employer"),
          lambda: or_(Alumnus.employer.is_not(None), Alumnus.job_title.is_not(None))),
    _flag("has:way", _("Offers help"), lambda: interested(InterestKind.WAY)),
    _flag("is:deceased", _("Deceased"), lambda: Alumnus.deceased.is_(True)),
    _flag("is:blocked", _("FERPA block"), lambda: Alumnus.ferpa_block.is_(True)),
    _flag("is:do_not_contact", _("Do not contact"), lambda: Alumnus.do_not_contact.is_(True)),
    _flag("is:senior", _("Still enrolled"),
          lambda: attends(Schooling.status == SchoolingStatus.ENROLLED)),
    _flag("is:graduated", _("Graduated"),
          lambda: attends(Schooling.status == SchoolingStatus.GRADUATED)),
    _flag("is:left", _("Left before graduating"),
          lambda: attends(Schooling.status == SchoolingStatus.LEFT)),
)  # fmt: skip


def register(registry: Extensions) -> None:
    """Make alumni what queries select from, and these fields known."""
    registry.query_base = QueryBase(Alumnus.id, visible_alumni)
    registry.query_fields.extend(FIELDS)
