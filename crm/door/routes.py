"""The public pages: joining, seniors by their school's poster, lost classmates, helping a school.

Each post is answered in the same way whoever the address belongs to.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.accounts.access import public
from crm.alumni.models import Alumnus, SchoolingStatus
from crm.consent.models import ConsentBasis
from crm.consent.queries import topics
from crm.consent.words import topic_about, topic_name
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import SYSTEM
from crm.door import classmates, confirming, gate, joining, offers, queries, seniors, words
from crm.door.forms import ClassmateForm, DoorForm, JoinForm, PersonForm, SeniorForm
from crm.links.fields import link_address
from crm.links.pages import chosen_language, opened, speak
from crm.links.tokens import issue
from crm.schools.queries import school_choices
from crm.web.i18n import page_language

bp = Blueprint("join", __name__)


def _offer_topics(session: Session, form: PersonForm) -> None:
    told = topics(session)
    form.offer(
        [(t.key, ": ".join(filter(None, (topic_name(t), topic_about(t))))) for t in told],
        [t.key for t in told if t.basis is ConsentBasis.OPT_OUT],
        page_language(),
    )


def _taken(form: DoorForm) -> bool:
    """Whether a post may go on: False for a machine's, which gets the same answer."""
    if form.trapped():
        return False
    gate.take(db.session(), client=request.remote_addr or "unknown", at=clock.now())
    return True


def _sent() -> Any:
    return redirect(url_for("join.sent", **chosen_language()), 303)


@bp.route("/join", methods=["GET", "POST"])
@public
def join() -> Any:
    """An alumnus writes who they are and what they would like."""
    session, at, form = db.session(), clock.now(), JoinForm()
    form.day = at.date()
    _offer_topics(session, form)
    form.offer_schools(school_choices(session, SYSTEM), queries.ways(session))
    wording = words.agreement()
    if form.is_submitted():
        if not _taken(form):
            return _sent()
    elif request.args.get("way"):
        form.ways.data = [request.args["way"]]
    if form.good(at):
        wish = form.said() | {"wording": wording}
        joining.ask(session, form.email.data, wish, language=form.language.data, at=at)
        session.commit()
        return _sent()
    page = render_template("crm/door/join.html", form=form, wording=wording)
    return page, 422 if form.is_submitted() else 200


@bp.get("/join/sent")
@public
def sent() -> str:
    """What happens next: the same for everybody."""
    return render_template("crm/door/sent.html")


@bp.route("/join/<code>", methods=["GET", "POST"])
@public
def senior(code: str) -> Any:
    """A senior comes by the poster of their school."""
    session, at = db.session(), clock.now()
    found = seniors.school_of(session, code)
    if found is None or not found[1]:
        old = found[0] if found else None
        return render_template("crm/door/old_poster.html", school=old), 410 if old else 404
    form, school = SeniorForm(), found[0]
    form.rule = chosen(session, seniors.SeniorRule)
    _offer_topics(session, form)
    if form.is_submitted() and not _taken(form):
        return _sent()
    year, wording = seniors.senior_year(at.date()), words.agreement()
    if form.good(at):
        wish = form.said() | {"schools": [[school.id, year]], "wording": wording}
        joining.ask(session, form.email.data, wish, language=form.language.data, at=at)
        session.commit()
        return _sent()
    page = render_template(
        "crm/door/senior.html", form=form, school=school, code=code, year=year, wording=wording
    )
    return page, 422 if form.is_submitted() else 200


@bp.route("/join/confirm/<token>", methods=["GET", "POST"])
@public
def confirm(token: str) -> Any:
    """What the link of a letter shows, and what its button does."""
    session, at = db.session(), clock.now()
    g.link_page = True
    try:
        row = confirming.pending(session, token, lock=request.method == "POST")
    except NotFound:
        return render_template("crm/door/no_link.html"), 404
    if row.expires_at <= at:
        return render_template("crm/door/no_link.html"), 410
    speak(row.language)
    if request.method == "GET":
        names = queries.school_names(session, [s for s, _year in row.wish.get("schools", ())])
        return render_template("crm/door/confirm.html", token=token, row=row, names=names)
    done = confirming.confirm(session, row, at=at)
    session.commit()
    return _welcome(session, done.alumnus)


def _welcome(session: Session, person: Alumnus) -> Any:
    at = clock.now()
    token = issue("profile", alumnus_id=person.id, epoch=person.link_epoch, at=at)
    enrolled = queries.status_of(session, person.id) is SchoolingStatus.ENROLLED
    return render_template(
        "crm/door/welcome.html", person=person, link=link_address("profile", token),
        young=words.young(session, person, enrolled=enrolled, day=at.date()),
    )  # fmt: skip


@bp.route("/join/find-a-classmate", methods=["GET", "POST"])
@public
def classmate() -> Any:
    """Somebody names a classmate whom we may have lost."""
    session, at, form = db.session(), clock.now(), ClassmateForm()
    schools = school_choices(session, SYSTEM)
    form.school.choices = [("", _("I do not know"))] + [(str(k), name) for k, name in schools]
    if form.is_submitted() and not _taken(form):
        return redirect(url_for("join.classmate_sent", **chosen_language()), 303)
    if form.good(at):
        classmates.tell(
            session, name=form.name.data, sender=form.sender.data, email=form.email.data or "",
            school_id=int(form.school.data) if form.school.data else None,
            class_year=form.year.data, hint=form.hint.data or "", language=page_language(), at=at,
        )  # fmt: skip
        session.commit()
        return redirect(url_for("join.classmate_sent", **chosen_language()), 303)
    page = render_template("crm/door/classmate.html", form=form)
    return page, 422 if form.is_submitted() else 200


@bp.get("/join/find-a-classmate/sent")
@public
def classmate_sent() -> str:
    """Thanks, and nothing else."""
    return render_template("crm/door/classmate_sent.html")


@bp.get("/help-a-school")
@public
def help_a_school() -> str:
    """What schools ask for now, by school or by way."""
    found = offers.wishes(db.session(), clock.now())
    way, school = request.args.get("way", ""), request.args.get("school", "")
    shown = [w for w in found if way in ("", w.way) and school in ("", str(w.school_id))]
    return render_template(
        "crm/door/help.html", wishes=shown, way=way, school=school,
        ways=list({w.way: w.way_label for w in found}.items()),
        schools=sorted({(w.school, str(w.school_id)) for w in found}),
    )  # fmt: skip


@bp.post("/me/<token>/offer")
@public
def offer(token: str) -> Any:
    """One click on one's own page: I would like to help in this way."""
    link = opened(token, "profile")
    if link.alumnus.deceased:
        raise Invalid(_("That did not work."))
    way = request.form.get("way", "")
    offers.offer(db.session(), link.alumnus, way, claim=link.claim, at=clock.now())
    db.session.commit()
    flash(_("Thank you! We ask you before anything is fixed."))
    return redirect(url_for("portal.profile", token=token, **chosen_language()), 303)
