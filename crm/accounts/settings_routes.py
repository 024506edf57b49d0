"""The settings pages: my account and sessions; for coordinators accounts and the installation."""

from __future__ import annotations

from typing import Any

from flask import current_app, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from crm.accounts import factor, forms, queries, service
from crm.accounts.access import current_viewer, requires
from crm.accounts.checks import CHECK_NAMES
from crm.accounts.devices import device
from crm.accounts.forms import AccessForm, AccountForm, InviteForm
from crm.accounts.routes import bp
from crm.core import clock
from crm.core.database import db
from crm.core.doctor import findings
from crm.core.errors import Invalid
from crm.core.extend import extensions
from crm.core.viewer import Permission
from crm.schools.queries import cluster_choices, school_choices


@bp.route("/settings", methods=["GET", "POST"])
@requires(Permission.HOME)
def settings() -> Any:
    """My account and where I am signed in."""
    user, viewer, at = current_user.user, current_viewer(), clock.now()
    form = AccountForm(obj=user)
    if form.validate_on_submit():
        name, language = form.name.data, form.language.data
        service.edit_own(db.session(), user, name=name, language=language, by=viewer, at=at)
        db.session.commit()
        flash(_("Saved."))
        return redirect(url_for("accounts.settings"), 303)
    sessions = queries.open_sessions(db.session(), user.id, at=at)
    return render_template(
        "crm/accounts/settings.html", form=form, sessions=sessions, device=device,
        here=current_user.session_id, has_factor=current_user.has_factor,
    )  # fmt: skip


@bp.post("/settings/sessions/<int:session_id>/end")
@requires(Permission.HOME)
def end_session(session_id: int) -> Any:
    """End one of my sessions."""
    user_id, viewer = current_user.user.id, current_viewer()
    service.end_session(db.session(), user_id, session_id, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("That session has ended."))
    return redirect(url_for("accounts.settings"), 303)


@bp.post("/settings/sessions/end-others")
@requires(Permission.HOME)
def end_other_sessions() -> Any:
    """Sign me out everywhere but here."""
    user, here = current_user.user, current_user.session_id
    service.end_other_sessions(db.session(), user, here, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("You are signed in nowhere else."))
    return redirect(url_for("accounts.settings"), 303)


@bp.get("/settings/users")
@requires(Permission.SETTINGS)
def users() -> Any:
    """All staff accounts."""
    page, scopes = queries.users_page(db.session(), after=request.args.get("after"))
    return render_template("crm/accounts/users.html", page=page, scopes=scopes)


@bp.route("/settings/users/invite", methods=["GET", "POST"])
@requires(Permission.SETTINGS, fresh=True)
def invite() -> Any:
    """Make an account and mail its link."""
    form = with_places(InviteForm(role="school"))
    if form.validate_on_submit():
        try:
            _user, link = service.invite(
                db.session(), email=form.email.data, name=form.name.data or "",
                role=form.chosen_role, school_ids=form.schools.data,
                cluster_ids=form.clusters.data, by=current_viewer(), at=clock.now(),
            )  # fmt: skip
            db.session.commit()
            return render_template("crm/accounts/invited.html", user=_user, link=link)
        except Invalid as error:
            show(form, error)
    return render_template("crm/accounts/invite.html", form=form)


@bp.route("/settings/users/<int:user_id>", methods=["GET", "POST"])
@requires(Permission.SETTINGS, fresh=True)
def user(user_id: int) -> Any:
    """One account: its role and scope."""
    account = queries.load_user(db.session(), user_id)
    scope = queries.scopes_of(db.session(), [account.id])[account.id]
    places = {
        "schools": [s for s, _n in scope.schools],
        "clusters": [c for c, _n in scope.clusters],
    }
    form = with_places(AccessForm(role=account.role.value, **places))
    if form.validate_on_submit():
        try:
            service.set_access(
                db.session(), account, role=form.chosen_role, school_ids=form.schools.data,
                cluster_ids=form.clusters.data, by=current_viewer(), at=clock.now(),
            )  # fmt: skip
            db.session.commit()
            flash(_("Saved. It holds from the next page on that they open."))
            return redirect(url_for("accounts.users"), 303)
        except Invalid as error:
            show(form, error)
    sessions = queries.open_sessions(db.session(), account.id, at=clock.now())
    return render_template(
        "crm/accounts/user.html", form=form, account=account, sessions=sessions, device=device,
        has_factor=factor.confirmed(db.session(), account.id) is not None,
    )  # fmt: skip


@bp.post("/settings/users/<int:user_id>/sessions/<int:session_id>/end")
@requires(Permission.SETTINGS, fresh=True)
def end_session_of(user_id: int, session_id: int) -> Any:
    """End one session of an account."""
    viewer = current_viewer()
    service.end_session(db.session(), user_id, session_id, by=viewer, at=clock.now())
    db.session.commit()
    flash(_("That session has ended."))
    return redirect(url_for("accounts.user", user_id=user_id), 303)


@bp.post("/settings/users/<int:user_id>/sessions/end")
@requires(Permission.SETTINGS, fresh=True)
def end_sessions_of(user_id: int) -> Any:
    """Sign an account out everywhere."""
    account = queries.load_user(db.session(), user_id)
    service.sign_out_everywhere(db.session(), account, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("They are signed out everywhere."))
    return redirect(url_for("accounts.user", user_id=user_id), 303)


@bp.post("/settings/users/<int:user_id>/deactivate")
@requires(Permission.SETTINGS, fresh=True)
def deactivate(user_id: int) -> Any:
    """Close an account; its sessions end at once."""
    account = queries.load_user(db.session(), user_id)
    service.deactivate(db.session(), account, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("The account is closed, and its sessions have ended."))
    return redirect(url_for("accounts.user", user_id=user_id), 303)


@bp.post("/settings/users/<int:user_id>/reactivate")
@requires(Permission.SETTINGS, fresh=True)
def reactivate(user_id: int) -> Any:
    """Open a closed account again."""
    account = queries.load_user(db.session(), user_id)
    service.reactivate(db.session(), account, by=current_viewer(), at=clock.now())
    db.session.commit()
    flash(_("The account is open again."))
    return redirect(url_for("accounts.user", user_id=user_id), 303)


@bp.post("/settings/users/<int:user_id>/link")
@requires(Permission.SETTINGS, fresh=True)
def fresh_link(user_id: int) -> Any:
    """Mail a fresh sign-in link."""
    account = queries.load_user(db.session(), user_id)
    link = service.send_invitation(db.session(), account, by=current_viewer(), at=clock.now())
    db.session.commit()
    return render_template("crm/accounts/invited.html", user=account, link=link)


@bp.get("/settings/installation")
@requires(Permission.SETTINGS)
def installation() -> Any:
    """What doctor finds, and what the areas show of their set-up."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    checks = findings(app, clock.now())
    registry = extensions()
    panels = registry.panels(registry.settings_panels, db.session())
    return render_template(
        "crm/accounts/installation.html", checks=checks, names=CHECK_NAMES, panels=panels
    )


def with_places(form: AccessForm) -> Any:
    """The form with the district's schools and clusters to choose from."""
    session, viewer = db.session(), current_viewer()
    schools = school_choices(session, viewer, closed=False)
    return forms.with_places(form, schools, cluster_choices(session, viewer))


def show(form: Any, error: Invalid) -> None:
    """Put a refusal beside its field."""
    db.session.rollback()
    if error.field in form:
        form[error.field].errors = [*form[error.field].errors, str(error)]
    else:
        form.form_errors.append(str(error))
