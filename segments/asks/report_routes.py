"""The report's page and its file; both hold counts only and nothing of any one person."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import Permission
from crm.web import cells, charts
from segments.asks.lift import LEAST
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
    times, rates = _bars(found.load.counts), _rates(found.chosen)
    html = render_template(
        "segments/asks/report.html", report=found, period=period, fault=fault, least=LEAST,
        times=charts.bars("times", _("People by how often they were asked"), times),
        rates=charts.bars("rates", _("Yeses of a hundred answers"), rates),
    )  # fmt: skip
    return html, 422 if fault else 200


def _bars(counts: Any) -> list[tuple[str, float]]:
    more = _("asked %(number)s times or more", number=MOST_SHOWN)
    return [
        (more if n == MOST_SHOWN else ngettext("asked once", "asked %(num)s times", n), people)
        for n, people in counts.items()
    ]


def _rates(chosen: Any) -> list[tuple[str, float]]:
    rows = [(_("Ranked"), chosen.ranked.share), (_("Drawn"), chosen.drawn.share)]
    if chosen.everybody is not None:
        rows.append((_("A draw from everybody (estimated)"), chosen.everybody.share))
    return [(label, round(100 * share, 1)) for label, share in rows]


@bp.get("/asks.csv")
@requires(Permission.REQUESTS_VIEW)
def table() -> Response:
    """The figures as a file, a line each."""
    found = report_of(db.session(), current_viewer(), _period())
    headers = {"Content-Disposition": "attachment; filename=asks.csv"}
    return Response(cells.lines([HEADING, *found.rows()]), mimetype="text/csv", headers=headers)
