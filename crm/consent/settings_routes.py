"""The settings pages of consent: the topics, and what may go to people under 18."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from wtforms.fields.choices import SelectChoice

from crm.accounts import audit
from crm.accounts.access import current_viewer, requires
from crm.consent import topics
from crm.consent.age import AgeRule
from crm.consent.forms import MinorsForm, TopicForm
from crm.consent.models import Topic
from crm.consent.queries import count_minors
from crm.consent.queries import topics as offered_topics
from crm.consent.routes import bp
from crm.consent.words import topic_name
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid
from crm.core.extend import extensions
from crm.core.viewer import Permission


@bp.get("/settings/topics")
@requires(Permission.SETTINGS)
def all_topics() -> str:
    """Every topic with how many people said yes or no to it."""
    return render_template("crm/consent/topics.html", counted=topics.counted(db.session()))


@bp.route("/settings/topics/add", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def add_topic() -> Any:
    """A new topic."""
    form = TopicForm()
    if form.validate_on_submit():
        try:
            topics.add_topic(
                db.session(), form.names(), basis=form.chosen_basis, by=current_viewer(),
                at=clock.now(),
            )  # fmt: skip
            return _saved(_("The topic is there. Writers can choose it, and people can leave it."))
        except Invalid as error:
            form.show(error)
    return render_template("crm/consent/topic.html", form=form, topic=None), _status(form)


@bp.route("/settings/topics/<key>", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def edit_topic(key: str) -> Any:
    """One topic: its names by language, and whether it needs agreement."""
    topic = topics.load_topic(db.session(), key)
    form = TopicForm.of(topic)
    if form.validate_on_submit():
        try:
            topics.edit_topic(
                db.session(), topic, form.names(), basis=form.chosen_basis, by=current_viewer(),
                at=clock.now(),
            )  # fmt: skip
            return _saved(_("Saved."))
        except Invalid as error:
            db.session.rollback()
            form.show(error)
    numbers = next(c for c in topics.counted(db.session()) if c.topic.key == topic.key)
    page = render_template("crm/consent/topic.html", form=form, topic=topic, numbers=numbers)
    return page, _status(form)


@bp.post("/settings/topics/<key>/retire")
@requires(Permission.SETTINGS)
def retire_topic(key: str) -> Any:
    """Send nothing about a topic any more."""
    topic = topics.load_topic(db.session(), key)
    topics.retire_topic(db.session(), topic, by=current_viewer(), at=clock.now())
    return _saved(_("Retired: nothing is sent about it from now on. You can bring it back."))


@bp.post("/settings/topics/<key>/restore")
@requires(Permission.SETTINGS)
def restore_topic(key: str) -> Any:
    """Offer a retired topic again."""
    topic = topics.load_topic(db.session(), key)
    topics.restore_topic(db.session(), topic, by=current_viewer(), at=clock.now())
    return _saved(_("Back: what each person said of it holds as before."))


@bp.post("/settings/topics/<key>/move")
@requires(Permission.SETTINGS)
def move_topic(key: str) -> Any:
    """Put a topic one place up or down."""
    topic = topics.load_topic(db.session(), key)
    up = request.form.get("direction") == "up"
    topics.move_topic(db.session(), topic, up=up, by=current_viewer(), at=clock.now())
    return _saved(_("Saved."))


@bp.route("/settings/under-18", methods=["GET", "POST"])
@requires(Permission.SETTINGS)
def minors() -> Any:
    """What the district lets go to people under 18."""
    session, at = db.session(), clock.now()
    rule = chosen(session, AgeRule)
    form = MinorsForm(
        outreach=rule.outreach.value, handover=list(rule.handover), topics=list(rule.topics),
        margin_years=str(rule.margin_years),
    )  # fmt: skip
    known = [pair for list_origins in extensions().origins for pair in list_origins(session)]
    known += [(origin, origin) for origin in rule.handover if origin not in dict(known)]
    form.handover.choices = [SelectChoice(origin, label) for origin, label in known]
    form.topics.choices = _topic_choices(offered_topics(session))
    if form.validate_on_submit():
        audit.note_choice(session, form.rule(), "under_18.changed", by=current_viewer(), at=at)
        session.commit()
        flash(_("Saved. It holds for every message that has not left yet."))
        return redirect(url_for("consent.minors"), 303)
    counts = count_minors(session, at.date(), margin_years=rule.margin_years)
    page = render_template("crm/consent/minors.html", form=form, counts=counts)
    return page, _status(form)


def _topic_choices(found: list[Topic]) -> list[SelectChoice]:
    return [SelectChoice(topic.key, topic_name(topic)) for topic in found]


def _saved(words: str) -> Any:
    db.session.commit()
    flash(words)
    return redirect(url_for("consent.all_topics"), 303)


def _status(form: Any) -> int:
    return 422 if form.errors else 200
