"""Why people stand where they stand in a journey: in bulk by step, as a file, and for one."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

from flask import Response, render_template, request
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.alumni.access import load_alumnus
from crm.core import clock
from crm.core.database import db
from crm.core.errors import NotFound
from crm.core.viewer import Permission
from crm.web.cells import lines
from lifecycle.journeys import queries
from lifecycle.journeys.models import Journey, JourneyVersion
from lifecycle.journeys.outside import not_entered, why_outside
from lifecycle.journeys.routes import bp
from lifecycle.journeys.why_words import TONES, WHAT
from lifecycle.journeys.whys import Figure, whys
from lifecycle.journeys.words import step_words

HEADING = ("step", "what", "reason", "words", "people", "of_sample", "first", "last", "query")


def _asked(key: str) -> tuple[Journey, JourneyVersion, list[Figure]]:
    """The journey, the version that was asked for, and its figures."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    journey = queries.load_journey(session, key)
    number = request.args.get("version", "")
    live = queries.live_version(session, journey)
    if number.isascii() and number.isdecimal() and len(number) < 9:
        version = queries.load_version(session, journey, int(number))
    elif live is not None:
        version = live
    else:
        raise NotFound(_("This journey has no such version."))
    step = request.args.get("step") or None
    found = whys(session, journey, version, viewer, at, step=step)
    if step is None and version is live:
        found = [*not_entered(session, journey, version, viewer, at), *found]
    return journey, version, found


@bp.get("/<key>/why")
@requires(Permission.JOURNEYS_VIEW)
def why_all(key: str) -> str:
    """For each step who waits, is held, was skipped or turned away, and who does not enter."""
    journey, version, figures = _asked(key)
    document = queries.document_of(version)
    places = [(place, list(found)) for place, found in groupby(figures, attrgetter("step"))]
    return render_template(
        "lifecycle/journeys/why.html", journey=journey, version=version, places=places,
        whats=WHAT, tones=TONES, does={step.id: step_words(step) for step in document.steps},
        step=request.args.get("step") or "",
    )  # fmt: skip


@bp.get("/<key>/why.csv")
@requires(Permission.JOURNEYS_VIEW)
def why_file(key: str) -> Response:
    """The same figures as a file; the people behind each are an export of its query."""
    journey, version, figures = _asked(key)
    rows: list[list[Any]] = [list(HEADING)]
    for one in figures:
        until = [moment.isoformat() if moment else "" for moment in (one.first, one.last)]
        rows.append([one.step, one.what, one.reason, one.words, one.people, one.sample or "",
                     *until, one.query or ""])  # fmt: skip
    answer = Response(lines(rows), mimetype="text/csv; charset=utf-8")
    name = f"{journey.key}-{version.no}-why.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@bp.get("/<key>/why/people/<int:alumnus_id>")
@requires(Permission.JOURNEYS_VIEW)
def why_one(key: str, alumnus_id: int) -> str:
    """Why one person is not in a journey now: what keeps them out, with the values that decide."""
    session, viewer = db.session(), current_viewer()
    journey = queries.load_journey(session, key)
    version = queries.live_version(session, journey)
    person = load_alumnus(session, viewer, alumnus_id)
    if version is None:
        raise NotFound(_("This journey has no such version."))
    outside = why_outside(session, journey, version, person.id, viewer, clock.now())
    return render_template(
        "lifecycle/journeys/why_one.html", journey=journey, person=person, outside=outside
    )
