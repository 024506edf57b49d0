"""The journey pages: what runs, who stands where, and the way from YAML to live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, requires
from crm.core import clock
from crm.core.database import db
from crm.core.errors import Conflict, NotFound, Refused
from crm.core.extend import QueryContext
from crm.core.viewer import Permission
from crm.mail.reasons import sentence
from crm.query.sentence import said
from lifecycle.journeys import queries, service
from lifecycle.journeys.comparing import comparisons
from lifecycle.journeys.forms import JourneyForm, TryForm
from lifecycle.journeys.models import EnrollmentState, Journey, JourneyVersion
from lifecycle.journeys.reading import LARGEST
from lifecycle.journeys.starters import starter_text, starters
from lifecycle.journeys.steps import spelled
from lifecycle.journeys.takeover import MOVE, STAY, STOP, Takeover
from lifecycle.journeys.views import journey_view, picture
from lifecycle.journeys.windows import spelled_window
from lifecycle.journeys.words import STATES, TONES, entry_words, kind_words, step_words

GONE = "removed-"
bp = Blueprint("journeys", __name__, url_prefix="/journeys")


@bp.app_context_processor
def words() -> dict[str, Any]:
    """What every journey template needs to name things."""
    return {
        "journey_states": STATES, "journey_tones": TONES, "reason_sentence": sentence,
        "journey_deed": kind_words, "journey_entry": entry_words,
        "journey_window": spelled_window, "journey_span": spelled,
    }  # fmt: skip


@bp.get("", strict_slashes=False)
@requires(Permission.JOURNEYS_VIEW)
def index() -> str:
    """Every journey with the people inside and what it sent."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    page = queries.journeys_page(session, after=request.args.get("after"))
    views = [journey_view(session, row.Journey, viewer, at) for row in page.items]
    return render_template(
        "lifecycle/journeys/index.html", page=page, views=views, starters=starters()
    )


@bp.get("/new")
@requires(Permission.JOURNEYS_EDIT)
def new() -> str:
    """Write a journey, from nothing, from a starter or from what is live."""
    return _editor(JourneyForm(text=_text_to_start_from()))


def _editor(form: JourneyForm, problems: Sequence[str] = ()) -> str:
    """The text of a journey, what is wrong with it, and a place to try a query."""
    return render_template(
        "lifecycle/journeys/edit.html", form=form, problems=problems, tried=TryForm(formdata=None)
    )


def _text_to_start_from() -> str:
    key = request.args.get("edit", "")
    journey = queries.find_journey(db.session(), key) if key else None
    live = queries.live_version(db.session(), journey) if journey else None
    return live.source if live else starter_text(request.args.get("start", ""))


def _written(form: JourneyForm) -> tuple[str, str]:
    """The YAML that was sent and the name to call it by in faults."""
    upload = form.file.data
    if not upload or not upload.filename:
        return form.text.data or "", "journey.yaml"
    raw = upload.read(LARGEST * 4 + 1)
    try:
        return raw.decode("utf-8-sig"), upload.filename[:80]
    except UnicodeDecodeError as error:
        place = f"{upload.filename[:80]}: byte {error.start + 1} is not UTF-8"
        raise Refused([place]) from error


@bp.post("/check")
@requires(Permission.JOURNEYS_EDIT)
def check() -> Any:
    """Check what was written and show what publishing it would do; changes nothing."""
    form = JourneyForm()
    try:
        text, name = _written(form)
        found = service.check(db.session(), text, name=name, at=clock.now())
    except Refused as error:
        return _refused(form, error)
    form.text.data = text
    context = QueryContext(db.session(), current_viewer(), clock.now())
    says = said(found.document.enter.when or "", context)
    return render_template(
        "lifecycle/journeys/check.html", form=form, found=found, words=step_words, says=says
    )


def _refused(form: JourneyForm, error: Refused) -> tuple[str, int]:
    db.session.rollback()
    return _editor(form, error.problems), 422


@bp.post("/publish")
@requires(Permission.JOURNEYS_EDIT)
def publish() -> Any:
    """Make a journey live for new people."""
    form = JourneyForm()
    try:
        text, name = _written(form)
        done = service.publish(
            db.session(), text, name=name, by=current_viewer(), at=clock.now(), takeover=_takeover()
        )
    except Refused as error:
        return _refused(form, error)
    db.session.commit()
    told = _("Version %(no)s is live.", no=done.version.no)
    flash(told if done.created else _("Nothing changed: this very version is live already."))
    return redirect(url_for("journeys.detail", key=done.journey.key), 303)


def _takeover() -> Takeover:
    """What the form says of those inside; `Refused` for what it cannot say."""
    form = request.form
    inside, dates = form.get("inside", STAY), form.get("dates", "keep")
    if inside not in (STAY, MOVE, STOP) or dates not in ("keep", "new"):
        raise Refused([_("Choose what becomes of those inside.")])
    removed = {k.removeprefix(GONE): v for k, v in form.items() if k.startswith(GONE)}
    return Takeover(cast(Any, inside), cast(Any, dates), removed)


@bp.get("/<key>")
@requires(Permission.JOURNEYS_VIEW)
def detail(key: str) -> str:
    """The picture of a journey with the people at each step, what it sent, and its versions."""
    session, viewer, at = db.session(), current_viewer(), clock.now()
    journey = queries.load_journey(session, key)
    version = _version(journey, request.args.get("version"))
    document = queries.document_of(version)
    return render_template(
        "lifecycle/journeys/detail.html", journey=journey, version=version,
        view=journey_view(session, journey, viewer, at), document=document,
        says=said(document.enter.when or "", QueryContext(session, viewer, at)),
        versions=queries.versions_of(session, journey),
        steps=picture(session, journey, version, viewer, at),
        lifts=comparisons(session, journey, viewer, at),
    )  # fmt: skip


def _version(journey: Journey, number: str | None) -> JourneyVersion:
    """The version of that number, or the live one; `NotFound` if there is none."""
    versions = queries.versions_of(db.session(), journey)
    wanted = [v for v in versions if str(v.no) == number]
    live = [v for v in versions if v.id == journey.live_version_id]
    found = wanted if number else live
    if not found:
        raise NotFound(_("This journey has no such version."))
    return found[0]


@bp.get("/<key>/source")
@requires(Permission.JOURNEYS_VIEW)
def source(key: str) -> Response:
    """The YAML of a version, exactly as it was published."""
    version = _version(queries.load_journey(db.session(), key), request.args.get("version"))
    answer = Response(version.source, mimetype="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{key}.yaml"'
    return answer


@bp.get("/<key>/people")
@requires(Permission.JOURNEYS_VIEW)
def people(key: str) -> str:
    """Who stands at a step, waiting or set aside."""
    session = db.session()
    journey = queries.load_journey(session, key)
    version = _version(journey, request.args.get("version"))
    document = queries.document_of(version)
    ids = [step.id for step in document.steps]
    step = request.args.get("step", "")
    if step not in ids:
        raise NotFound(_("This journey has no such step."))
    stuck = request.args.get("state") == EnrollmentState.STUCK.value
    state = EnrollmentState.STUCK if stuck else EnrollmentState.WAITING
    page = queries.people_at(
        session, version, ids.index(step), current_viewer(),
        state=state, after=request.args.get("after"),
    )  # fmt: skip
    return render_template(
        "lifecycle/journeys/people.html", journey=journey, version=version, page=page,
        step=document.steps[ids.index(step)], words=step_words, state=state.value,
    )  # fmt: skip


def _act(key: str, verb: Any, told: str) -> Any:
    """Load under lock, act, commit, and go back to the journey."""
    session = db.session()
    journey = queries.load_journey(session, key, lock=True)
    try:
        verb(session, journey, by=current_viewer(), at=clock.now())
    except Conflict as error:
        session.rollback()
        flash(str(error), "error")
    else:
        session.commit()
        flash(told)
    return redirect(url_for("journeys.detail", key=key), 303)


@bp.post("/<key>/pause")
@requires(Permission.JOURNEYS_EDIT)
def pause(key: str) -> Any:
    """Let nobody in and nobody on."""
    return _act(key, service.pause, _("Paused. Everybody keeps their place."))


@bp.post("/<key>/resume")
@requires(Permission.JOURNEYS_EDIT)
def resume(key: str) -> Any:
    """Go on."""
    return _act(key, service.resume, _("The journey goes on."))


@bp.post("/<key>/stop")
@requires(Permission.JOURNEYS_EDIT)
def stop(key: str) -> Any:
    """End the journey for everybody."""
    return _act(key, service.stop, _("Stopped. Within a minute everybody is let out."))


@bp.post("/<key>/retry")
@requires(Permission.JOURNEYS_EDIT)
def retry(key: str) -> Any:
    """Let those who were set aside try again."""
    return _act(key, service.retry_stuck, _("Those who were set aside try again."))
