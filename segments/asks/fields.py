"""What asks and promises add to the query language."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, func, select

from crm.alumni.conditions import Ask as Answer
from crm.alumni.conditions import at_school, choices_of, in_cluster, words
from crm.alumni.models import Way
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryRows, QueryTotal
from crm.query.conditions import between
from crm.query.kinds import (
    amount,
    choice,
    date,
    flag,
    in_range,
    in_time,
    is_key,
    number,
    on_day,
    text,
    words_of,
)
from crm.query.rows import times
from crm.schools.queries import cluster_names, school_names
from segments.asks import gates, panel
from segments.asks.models import Ask, Commitment
from segments.requests.models import Request

Condition = ColumnElement[bool]


def _requested(column: object, ask: Answer) -> Answer:
    """The row's request is such as the condition says; asks that a file brought have none."""

    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        requests = select(Request.id).where(ask(match, context))
        return column.in_(requests)  # type: ignore[attr-defined,no-any-return]

    return condition


def _percent(match: FieldMatch, context: QueryContext) -> Condition:
    return between(Ask.probability * 100, match)


FIELDS = (
    date("asked", _("Asked for help"), gates.was_asked, _("were asked for help %(value)s"),
         "asked:90d"),
    choice("answered", _("Answered an ask"), gates.has_answered,
           _("were asked for help, with this answer: %(value)s"), "answered:accepted",
           choices=words_of(panel.STATES)),
    date("helped", _("Gave time"), gates.has_helped, _("gave time %(value)s"), "helped:1y"),
)  # fmt: skip
ASKS = QueryRows(
    "ask", _("One ask"), _("were asked once"), Ask.alumnus_id, [
        choice("way", _("Way to help"), is_key(Ask.way_key), choices=choices_of(Way)),
        choice("state", _("Answer"), is_key(Ask.state), choices=words_of(panel.STATES)),
        date("when", _("When"), in_time(Ask.asked_at)),
        date("answered", _("Answered"), in_time(Ask.answered_at)),
        text("school", _("School"), _requested(Ask.request_id, at_school(Request.school_id)),
             choices=school_names),
        text("cluster", _("Cluster"), _requested(Ask.request_id, in_cluster(Request.school_id)),
             choices=cluster_names),
        number("request", _("Request"), in_range(Ask.request_id)),
        number("import", _("Import"), in_range(Ask.import_id)),
        number("wave", _("Wave"), in_range(Ask.wave)),
        number("chance", _("Chance of a yes in percent"), _percent),
        text("note", _("Note"), words(Ask.note)),
        date("rest", _("Not to be asked before"), on_day(Ask.rest_until), ahead=True),
        flag("is:answered", _("Answered"), lambda: Ask.answered_at.is_not(None)),
    ], default="way",
    totals=(times(_("How many")),
            QueryTotal("latest", _("Last one"), FieldKind.DATE, lambda: func.max(Ask.asked_at))),
    example="ask(way:speak state:accepted when:2y)",
)  # fmt: skip
PROMISES = QueryRows(
    "promise", _("One promise"), _("made a promise"), Commitment.alumnus_id, [
        choice("state", _("What became of it"), is_key(Commitment.state),
               choices=words_of(panel.OUTCOMES)),
        date("when", _("When"), in_time(Commitment.starts_at), ahead=True),
        text("school", _("School"), _requested(Commitment.request_id, at_school(Request.school_id)),
             choices=school_names),
        text("cluster", _("Cluster"),
             _requested(Commitment.request_id, in_cluster(Request.school_id)),
             choices=cluster_names),
        choice("way", _("Way to help"), _requested(Commitment.request_id, is_key(Request.way_key)),
               choices=choices_of(Way)),
        number("request", _("Request"), in_range(Commitment.request_id)),
        amount("hours", _("Hours"), in_range(Commitment.hours)),
        number("pupils", _("Pupils"), in_range(Commitment.pupils)),
        flag("is:thanked", _("Thanked"), lambda: Commitment.thanked_at.is_not(None)),
        date("made", _("Made"), in_time(Commitment.created_at)),
    ], default="state",
    totals=(times(_("How many")),
            QueryTotal("hours_sum", _("Hours in all"), FieldKind.AMOUNT,
                       lambda: func.sum(Commitment.hours))),
    example="promise(state:planned when:+30d)",
)  # fmt: skip
