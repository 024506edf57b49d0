"""The report's page and its file; both hold counts only and nothing of any one person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.shares import wilson
from crm.core.viewer import Permission
from crm.web import cells, charts
from segments.asks.lift import LEAST, Chosen
from segments.asks.load import MOST_SHOWN, Period, read_period
from segments.asks.report import report_of

bp = Blueprint("load", __name__, url_prefix="/reports")
HEADING = ("figure", "value")


def _period() -> Period:
    given = {name: request.args.get(name, "") for name in ("from", "to")}
    return read_period(db.session(), given["from"], given["to"], at=clock.now())


@bp.get("/asks")
@requires(Permission.REQUESTS_VIEW)
def page() -> tuple[str, int]:
    """How a period's asks fell on people, and whether ranking found more yeses than chance."""
    session, fault = db.session(), None
    try:
        period = _period()
    except Invalid as error:
        fault, period = str(error), read_period(session, "", "", at=clock.now())
    found = report_of(session, current_viewer(), period)
    times = _bars(found.load.counts)
    html = render_template(
        "segments/asks/report.html", report=found, period=period, fault=fault, least=LEAST,
        times=charts.bars("times", _("People by how often they were asked"), times),
        rates=_rates(found.chosen),
    )  # fmt: skip
    return html, 422 if fault else 200


def _bars(counts: Any) -> list[tuple[str, float]]:
    more = _("asked %(number)s times or more", number=MOST_SHOWN)
    return [
        (more if n == MOST_SHOWN else ngettext("asked once", "asked %(num)s times", n), people)
        for n, people in counts.items()
    ]


@dataclass(frozen=True)
class Rate:
    """A bar of the lift: how many answers, how many yeses among them, their share and interval."""

    label: str
    answers: int | None
    yeses: int | None
    share: float
    low: float
    high: float


def _rates(chosen: Chosen) -> list[Rate]:
    """The ranked, the drawn and everybody; nothing where there are too few to say."""
    if chosen.everybody is None:
        return []
    sides = ((_("Ranked"), chosen.ranked), (_("Drawn"), chosen.drawn))
    rows = [Rate(label, g.people, g.reached, g.share, *wilson(g)) for label, g in sides]
    all_of_them, label = chosen.everybody, _("A draw from everybody (estimated)")
    return [*rows, Rate(label, None, None, all_of_them.share, all_of_them.low, all_of_them.high)]


@bp.get("/asks.csv")
@requires(Permission.REQUESTS_VIEW)
def table() -> Response:
    """The figures as a file, a line each."""
    found = report_of(db.session(), current_viewer(), _period())
    headers = {"Content-Disposition": "attachment; filename=asks.csv"}
    return Response(cells.lines([HEADING, *found.rows()]), mimetype="text/csv", headers=headers)
