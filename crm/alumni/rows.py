"""What queries may ask of one schooling, one address or one interest of a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, and_
from sqlalchemy.orm import Session

from crm.alumni import conditions as on
from crm.alumni.models import (
    ContactKind,
    ContactPoint,
    Interest,
    InterestKind,
    Schooling,
    Subject,
    Way,
)
from crm.alumni.words import CONTACT_KINDS, CONTACT_STATUSES, OWNERS, SCHOOLING_STATUSES
from crm.core.extend import FieldMatch, QueryContext, QueryRows
from crm.query.kinds import choice, date, flag, in_time, is_key, number, on_day, text, words_of
from crm.query.rows import times
from crm.schools.queries import cluster_names, school_names


def _interests(session: Session) -> Mapping[str, Any]:
    """Ways and subjects by key."""
    return {**on.choices_of(Way)(session), **on.choices_of(Subject)(session)}


def _kind(kind: InterestKind) -> Any:
    def condition(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
        return and_(Interest.kind == kind, Interest.key == match.low)

    return condition


ROWS = (
    QueryRows(
        "schooling", _("One schooling"), _("have a schooling"), Schooling.alumnus_id, [
            text("school", _("School"), on.at_school(Schooling.school_id), choices=school_names),
            text("cluster", _("Cluster"), on.in_cluster(Schooling.school_id),
                 choices=cluster_names),
            number("class", _("Class"), on.of_class(Schooling.class_year), aliases=("year",)),
            choice("status", _("How it stands or ended"), is_key(Schooling.status),
                   choices=words_of(SCHOOLING_STATUSES)),
            date("left", _("Left on"), on_day(Schooling.left_on), ahead=True),
            text("credential", _("Credential"), on.words(Schooling.credential)),
            flag("has:credential", _("Credential is known"), on.filled(Schooling.credential)),
            flag("has:left", _("Day of leaving is known"), on.filled(Schooling.left_on)),
        ], default="school", totals=(times(_("How many")),),
        example='schooling(school:"Booker T. Washington" class:2015 status:graduated)',
    ),
    QueryRows(
        "contact", _("One address or number"), _("have an address or number"),
        ContactPoint.alumnus_id, [
            choice("kind", _("Kind"), is_key(ContactPoint.kind), choices=words_of(CONTACT_KINDS)),
            choice("owner", _("Whose"), is_key(ContactPoint.owner), choices=words_of(OWNERS)),
            choice("status", _("How it works"), is_key(ContactPoint.status),
                   choices=words_of(CONTACT_STATUSES)),
            text("source", _("Came from"), on.words(ContactPoint.source)),
            flag("is:preferred", _("The one to use"), lambda: ContactPoint.preferred.is_(True)),
            date("added", _("Added"), in_time(ContactPoint.created_at)),
            date("updated", _("Last changed"), in_time(ContactPoint.updated_at)),
        ], default="kind", totals=(times(_("How many")),),
        example=f"contact(kind:{ContactKind.EMAIL} owner:own status:bounced)",
    ),
    QueryRows(
        "interest", _("One interest"), _("have an interest"), Interest.alumnus_id, [
            choice("in", _("What in"), is_key(Interest.key), choices=_interests),
            choice("way", _("Way to help"), _kind(InterestKind.WAY), choices=on.choices_of(Way)),
            text("source", _("Came from"), on.words(Interest.source)),
            date("since", _("Since"), in_time(Interest.since)),
        ], default="in", totals=(times(_("How many")),), example="interest(way:mentor since:1y)",
    ),
)  # fmt: skip
