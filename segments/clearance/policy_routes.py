"""The district's rules of clearance on their settings page, and who is on the way to one."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from wtforms import FieldList, FormField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, NumberRange, Optional

from crm.accounts.access import current_viewer, requires
from crm.accounts.audit import note_choice
from crm.alumni.models import Way
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.viewer import Permission
from crm.web.forms import Form, MultiCheckboxField, Part
from segments.clearance.cases import open_cases
from segments.clearance.models import Clearance
from segments.clearance.policy import (
    MOST_DAYS,
    MOST_LEVELS,
    MOST_MONTHS,
    ClearancePolicy,
    LevelRule,
)
from segments.clearance.routes import bp

ACTIVITIES = {
    "no_pupils:school": lazy_gettext("No pupils are met, at the school"),
    "no_pupils:virtual": lazy_gettext("No pupils are met, by video"),
    "supervised:school": lazy_gettext("A teacher stays in the room, at the school"),
    "supervised:virtual": lazy_gettext("A teacher stays in the room, by video"),
    "unsupervised:school": lazy_gettext("Alone with pupils at times, at the school"),
    "unsupervised:virtual": lazy_gettext("Alone with pupils at times, by video"),
}


class LevelPart(Part):
    """One level."""

    label = StringField(lazy_gettext("Name"), [Length(max=80)])
    proof = StringField(lazy_gettext("What proves it"), [Length(max=200)])
    months = IntegerField(
        lazy_gettext("It counts for (months)"), [Optional(), NumberRange(1, MOST_MONTHS)]
    )
    training_months = IntegerField(
        lazy_gettext("It takes a training that counts for (months; 0: none)"),
        [Optional(), NumberRange(0, MOST_MONTHS)],
    )
    renewed_by = SelectField(
        lazy_gettext("Who renews it"),
        choices=[
            SelectChoice("office", lazy_gettext("The office, for every school")),
            SelectChoice("school", lazy_gettext("Each school for itself")),
        ],
    )
    lead_days = IntegerField(
        lazy_gettext("Days to get it after a yes (0: only the cleared are asked)"),
        [Optional(), NumberRange(0, MOST_DAYS)],
    )

    def rule(self) -> LevelRule:
        """What was filled in; what was left empty is the default."""
        return LevelRule.model_validate(
            {name: value for name, value in self.data.items() if value not in (None, "")}
        )


class PolicyForm(Form):
    """Levels, which activity takes which, and ways whose yes starts the clock."""

    levels = FieldList(FormField(LevelPart), min_entries=1, max_entries=MOST_LEVELS)
    ways = MultiCheckboxField(lazy_gettext("A yes to these kinds of help starts the clock"))


@bp.route("/settings/clearance", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def policy() -> Any:
    """What working with pupils takes in this district."""
    session = db.session()
    now = chosen(session, ClearancePolicy)
    form = PolicyForm(data=_shown(now))
    ways = session.scalars(select(Way).where(Way.offered).order_by(Way.position, Way.key))
    form.ways.choices = [SelectChoice(way.key, _(way.label)) for way in ways]
    if form.validate_on_submit():
        wanted = _wanted(session, form)
        if wanted is not None:
            return _save(session, wanted)
    page = render_template(
        "segments/clearance/policy.html", form=form, now=now, activities=ACTIVITIES,
        needed=_needed() if request.method == "POST" else now.needed,
    )  # fmt: skip
    return page, 422 if request.method == "POST" else 200


def _shown(now: ClearancePolicy) -> dict[str, Any]:
    levels = [
        rule.model_dump() | {"label": str(now.label(n)), "proof": str(now.proof(n))}
        for n, rule in enumerate(now.levels, 1)
    ]
    if len(levels) < MOST_LEVELS:
        levels.append({"months": 24, "training_months": 0, "lead_days": 0})
    return {"levels": levels, "ways": list(now.ways)}


def _needed() -> dict[str, int]:
    typed = {key: request.form.get(f"needed-{key}", "") for key in ACTIVITIES}
    return {k: int(v) for k, v in typed.items() if v.isascii() and v.isdecimal() and len(v) < 3}


def _wanted(session: Session, form: PolicyForm) -> ClearancePolicy | None:
    """The policy that was filled in; None with the fault said in the form."""
    levels = [part.form.rule() for part in form.levels if (part.form.label.data or "").strip()]
    held = session.scalar(select(func.max(Clearance.level))) or 0
    if len(levels) < held:
        form.form_errors.append(
            _("Somebody holds level %(level)s, so that it cannot be taken away.", level=held)
        )
        return None
    try:
        return ClearancePolicy(
            levels=tuple(levels), needed=_needed(), ways=tuple(form.ways.data or ())
        )
    except ValidationError:
        form.form_errors.append(_("An activity takes a level that is not named above."))
        return None


def _save(session: Session, wanted: ClearancePolicy) -> Any:
    at = clock.now()
    note_choice(session, wanted, "clearance_policy.changed", by=current_viewer(), at=at)
    session.commit()
    flash(_("Saved. It holds for every ask and every yes from now on."))
    return redirect(url_for("clearance.policy"), 303)


@bp.get("/clearance")
@requires(Permission.PEOPLE_EDIT)
def waiting() -> str:
    """People who said yes and are on the way to a clearance, the soonest due first."""
    session = db.session()
    return render_template(
        "segments/clearance/waiting.html", policy=chosen(session, ClearancePolicy),
        page=open_cases(session, current_viewer(), after=request.args.get("after")),
    )  # fmt: skip
