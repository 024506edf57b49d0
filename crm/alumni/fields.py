"""The fields of the query language that the alumni area answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from babel.core import Locale
from flask_babel import lazy_gettext as _
from sqlalchemy import and_, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from crm.alumni import conditions as on
from crm.alumni.access import visible_alumni
from crm.alumni.contacts import phone_form
from crm.alumni.custom import custom, custom_names, has_custom
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ExternalId,
    InterestKind,
    Schooling,
    SchoolingStatus,
    Subject,
    Way,
)
from crm.alumni.near import near
from crm.alumni.rows import ROWS
from crm.core.extend import Extensions, FieldKind, FieldMatch, QueryBase, QueryContext, QueryField
from crm.core.viewer import Permission
from crm.query.conditions import between as between
from crm.query.conditions import during as during
from crm.query.kinds import (
    Condition,
    anything,
    choice,
    date,
    flag,
    in_time,
    is_key,
    number,
    on_day,
    text,
)
from crm.schools.queries import cluster_names, school_names


def _languages(session: Session) -> Mapping[str, Any]:
    """Every language by its code, as files and profiles write it, with its English name."""
    return {code.replace("_", "-"): name for code, name in Locale("en").languages.items()}


def _private(ask: on.Ask) -> on.Ask:
    """Nobody for viewers who may not see it: a search would tell it."""

    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        return and_(literal(context.viewer.may(Permission.PEOPLE_EDIT)), ask(match, context))

    return condition


def _paused(match: FieldMatch, context: QueryContext) -> Condition:
    return func.coalesce(Alumnus.paused_until >= context.at.date(), False)


def _from_system(match: FieldMatch, context: QueryContext) -> Condition:
    return exists().where(ExternalId.alumnus_id == Alumnus.id, ExternalId.system == match.low)


def _systems(session: Session) -> Mapping[str, Any]:
    """The systems that ids came from, by one step of the index for each."""
    first = select(func.min(ExternalId.system).label("system")).cte("systems", recursive=True)
    after = select(ExternalId.system).where(ExternalId.system > first.c.system)
    following = after.order_by(ExternalId.system).limit(1).correlate(first).scalar_subquery()
    systems = first.union_all(select(following).where(first.c.system.is_not(None)))
    found = session.scalars(select(systems.c.system).where(systems.c.system.is_not(None)).limit(50))
    return {system: system for system in found}


def _status(status: SchoolingStatus) -> Callable[[], Condition]:
    return lambda: on.attends(Schooling.status == status)


def _has(key: str, label: Any, *columns: on.Column) -> QueryField:
    """Something is known in any of the columns."""
    known = [on.filled(column) for column in columns]
    return flag(f"has:{key}", label, lambda: or_(*(one() for one in known)))


WHO = (
    text("name", _("Name"), on.named, _("are called %(value)s"), "ana"),
    text("given", _("Given name"), on.name_part(Alumnus.given_name),
         _("have the given name %(value)s"), "given:ana", aliases=("first_name",)),
    text("middle", _("Middle name"), on.name_part(Alumnus.middle_name),
         _("have the middle name %(value)s"), "middle:maría"),
    text("family", _("Family name"), on.name_part(Alumnus.family_name),
         _("have the family name %(value)s"), "family:núñez", aliases=("surname", "last_name")),
    text("preferred", _("Chosen name"), on.name_part(Alumnus.preferred_name),
         _("have chosen the name %(value)s"), "preferred:annie"),
    text("former", _("Former name"), on.name_part(Alumnus.former_name),
         _("used to be called %(value)s"), "former:stone", aliases=("maiden",)),
    text("suffix", _("Suffix of the name"), on.is_text(Alumnus.suffix),
         _("have %(value)s after their name"), "suffix:jr"),
    date("born", _("Date of birth"), _private(on_day(Alumnus.birth_date)),
         _("were born %(value)s"), "born:1999"),
    number("age", _("Age"), _private(on.of_age), _("are %(value)s years old"), "age:18..25"),
    choice("lang", _("Language"), is_key(Alumnus.language), _("have %(value)s as their language"),
           "lang:es", choices=_languages, aliases=("language",)),
    text("zone", _("Time zone"), on.words(Alumnus.time_zone), _("live in the time zone %(value)s"),
         'zone:"America/Chicago"'),
    text("id", _("Number"), on.numbered, _("have the number %(value)s"), "id:00042",
         aliases=("external",)),
    text("system", _("Has a number of the system"), _from_system,
         _("have a number of the system %(value)s"), "system:sis", choices=_systems),
)  # fmt: skip
SCHOOLING = (
    number("class", _("Class"), on.of_class(Alumnus.class_year),
           _("are of the class of %(value)s"), "class:2010..2015", aliases=("year",)),
    text("school", _("School"), on.attended(on.at_school(Schooling.school_id)),
         _("attended %(value)s"), 'school:"Booker T. Washington"', choices=school_names),
    text("attended", _("School, as it was then"), on.attended(on.at_school_then),
         _("attended %(value)s as it was then"), 'attended:"Old Mill"', choices=school_names),
    text("cluster", _("Cluster"), on.attended(on.in_cluster(Schooling.school_id)),
         _("attended a school of the cluster %(value)s"), "cluster:jackson",
         choices=cluster_names),
    date("graduated", _("Graduated on"), on_day(Alumnus.graduated_on),
         _("graduated %(value)s"), "graduated:2026-05..2026-06", ahead=True),
    flag("is:senior", _("Still enrolled"), _status(SchoolingStatus.ENROLLED),
         _("are still enrolled")),
    flag("is:graduated", _("Graduated"), _status(SchoolingStatus.GRADUATED), _("graduated")),
    flag("is:left", _("Left before graduating"), _status(SchoolingStatus.LEFT),
         _("left before graduating")),
)  # fmt: skip
LIFE = (
    text("city", _("City"), on.indexed(Alumnus.city), _("live in %(value)s"), "city:macon"),
    text("state", _("State"), on.is_text(Alumnus.state), _("live in the state %(value)s"),
         "state:GA"),
    text("zip", _("Postal code"), on.zip_begins,
         _("have a postal code that begins with %(value)s"), "zip:303", aliases=("postal_code",)),
    text("near", _("Lives within so many miles of a ZIP code"), near,
         _("live within so far of a ZIP code: %(value)s"), "near:30303/25mi"),
    text("employer", _("Employer"), on.indexed(Alumnus.employer), _("work at %(value)s"),
         "employer:delta"),
    text("job", _("Job"), on.indexed(Alumnus.job_title), _("work as %(value)s"), "job:nurse",
         aliases=("title",)),
    text("field", _("Field of work"), on.indexed(Alumnus.field_of_work),
         _("work in the field %(value)s"), "field:health"),
    text("college", _("College"), on.indexed(Alumnus.college), _("went to the college %(value)s"),
         "college:spelman"),
    choice("way", _("Way to help"), on.interest_in(InterestKind.WAY),
           _("offer this help: %(value)s"), "way:mentor,speak", choices=on.choices_of(Way),
           aliases=("ways",)),
    choice("subject", _("Subject"), on.interest_in(InterestKind.SUBJECT),
           _("care about %(value)s"), "subject:health", choices=on.choices_of(Subject),
           aliases=("topic", "interest")),
    anything("custom.", _("Custom field"), custom,
             _("have %(value)s in the custom field %(name)s"), "custom.club:chess",
             names=custom_names),
)  # fmt: skip
RECORD = (
    text("email", _("Mail address"), on.has_address(ContactKind.EMAIL, lambda t: t.strip().lower()),
         _("have the mail address %(value)s"), "email:ana@mail.example"),
    text("phone", _("Phone number"), on.has_address(ContactKind.PHONE, lambda t: phone_form(t)[1]),
         _("have the phone number %(value)s"), 'phone:"404 555 0100"'),
    date("updated", _("Last changed"), in_time(Alumnus.updated_at),
         _("were changed %(value)s"), "updated:30d"),
    date("added", _("Added"), in_time(Alumnus.created_at), _("were added %(value)s"),
         "added:2026-09", aliases=("created",)),
    date("paused", _("Asked for a pause until"), on_day(Alumnus.paused_until),
         _("asked for a pause that ends %(value)s"), "paused:+30d", ahead=True),
)  # fmt: skip
FLAGS = (
    flag("has:email", _("Working mail address"), lambda: on.reached_by(ContactKind.EMAIL),
         _("have a working mail address")),
    flag("has:phone", _("Working phone number"), lambda: on.reached_by(ContactKind.PHONE),
         _("have a working phone number")),
    flag("has:postal", _("Postal address"), lambda: on.reached_by(ContactKind.POSTAL),
         _("have a postal address")),
    flag("has:work", _("Job or employer"),
         lambda: or_(Alumnus.employer.is_not(None), Alumnus.job_title.is_not(None)),
         _("have a job or employer on record")),
    flag("has:way", _("Offers help"), lambda: on.interested(InterestKind.WAY), _("offer help")),
    flag("has:subject", _("Cares about a subject"), lambda: on.interested(InterestKind.SUBJECT),
         _("care about a subject")),
    flag("has:school", _("A school is known"), on.attends, _("attended a school that is known")),
    _has("class", _("Class is known"), Alumnus.class_year),
    _has("birthday", _("Date of birth is known"), Alumnus.birth_date),
    _has("city", _("City is known"), Alumnus.city),
    _has("state", _("State is known"), Alumnus.state),
    _has("zip", _("Postal code is known"), Alumnus.postal_code),
    _has("employer", _("Employer is known"), Alumnus.employer),
    _has("job", _("Job is known"), Alumnus.job_title),
    _has("field", _("Field of work is known"), Alumnus.field_of_work),
    _has("college", _("College is known"), Alumnus.college),
    _has("former", _("Has a former name"), Alumnus.former_name),
    _has("zone", _("Time zone is known"), Alumnus.time_zone),
    flag("has:id", _("Has a number of another system"),
         lambda: exists().where(ExternalId.alumnus_id == Alumnus.id),
         _("have a number of another system")),
    QueryField("has:custom.", _("Custom field is filled"), FieldKind.FLAG, has_custom,
               example="has:custom.club", says=_("have something in the custom field %(name)s"),
               names=custom_names),
    flag("is:deceased", _("Deceased"), lambda: Alumnus.deceased.is_(True), _("are deceased")),
    flag("is:blocked", _("FERPA block"), lambda: Alumnus.ferpa_block.is_(True),
         _("have a FERPA block")),
    flag("is:do_not_contact", _("Do not contact"), lambda: Alumnus.do_not_contact.is_(True),
         _("are not to be contacted")),
    QueryField("is:paused", _("Pauses all mail"), FieldKind.FLAG, _paused, example="is:paused",
               says=_("pause all mail")),
)  # fmt: skip
FIELDS = (*WHO, *SCHOOLING, *LIFE, *RECORD, *FLAGS)


def register(registry: Extensions) -> None:
    """Make alumni what queries select from, and these fields and rows known."""
    registry.query_base = QueryBase(Alumnus.id, visible_alumni)
    registry.query_fields.extend(FIELDS)
    registry.add_rows(*ROWS)
