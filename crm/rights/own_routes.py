"""What a person does about their data by their mailed link: fetch it, or have it forgotten."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _

from crm.accounts.access import public
from crm.core import clock
from crm.core.database import db
from crm.core.district import chosen
from crm.core.errors import NotFound
from crm.links.pages import chosen_language, opened
from crm.links.service import bound_address, mask
from crm.rights import wishes
from crm.rights.choices import RightsRule
from crm.rights.everything import everything
from crm.rights.forms import CodeForm
from crm.rights.models import DataRequest, RightKind
from crm.rights.routes import bp, file_of


@bp.get("/me/<token>/data")
@public
def mine(token: str) -> Any:
    """What one may do with one's data here; nothing has happened yet."""
    link = opened(token, "profile")
    point = bound_address(db.session(), link.claim)
    return render_template(
        "crm/rights/mine.html", token=token, address=mask(point.value) if point else "",
        rule=chosen(db.session(), RightsRule),
    )  # fmt: skip


@bp.post("/me/<token>/data/<kind>")
@public
def ask(token: str, kind: str) -> Any:
    """Have a code mailed."""
    link, wanted = opened(token, "profile"), _kind(kind)
    wishes.ask(
        db.session(), link.alumnus, wanted, claim=link.claim, at=clock.now(),
        client=request.remote_addr or "unknown",
    )  # fmt: skip
    db.session.commit()
    return redirect(url_for("rights.code", token=token, kind=kind, **chosen_language()), 303)


@bp.route("/me/<token>/data/<kind>/code", methods=["GET", "POST"])
@public
def code(token: str, kind: str) -> Any:
    """Take the code and do what was asked for."""
    link, wanted, at = opened(token, "profile"), _kind(kind), clock.now()
    session, form = db.session(), CodeForm()
    wish = wishes.waiting(session, link.alumnus.id, wanted, at=at)
    if wish is not None and form.validate_on_submit():
        right = wishes.confirm(session, wish, form.code.data, at=at)
        session.commit()
        if right:
            return _done(token, wish)
        form.code.errors = [_("This code is wrong, or too old.")]
        wish = wishes.waiting(session, link.alumnus.id, wanted, at=at)
    point = bound_address(session, link.claim) if wish else None
    return render_template(
        "crm/rights/code.html", token=token, kind=wanted.value, form=form,
        address=mask(point.value) if point else "",
    )  # fmt: skip


def _done(token: str, wish: DataRequest) -> Any:
    """Do what was confirmed."""
    session, at = db.session(), clock.now()
    if wish.kind is RightKind.DOWNLOAD:
        ticket = wishes.note_download(session, wish, at=at)
        session.commit()
        return render_template("crm/rights/ready.html", token=token, ticket=ticket)
    done = wishes.file_erasing(session, wish, at=at)
    due = wish.due_on
    session.commit()
    return render_template("crm/rights/filed.html", token=token, done=done, due=due)


@bp.post("/me/<token>/data/file.<kind>")
@public
def own_file(token: str, kind: str) -> Any:
    """Everything about them, for as long as the ticket from the code is good."""
    link, at = opened(token, "profile"), clock.now()
    if not wishes.ticket_holds(request.form.get("ticket", ""), alumnus_id=link.alumnus.id, at=at):
        return redirect(url_for("rights.mine", token=token, **chosen_language()), 303)
    told = everything(db.session(), link.alumnus.id, at=at, by=None)
    db.session.commit()
    return file_of(told, kind, link.alumnus.language)


def _kind(text: str) -> RightKind:
    if text not in list(RightKind):
        raise NotFound("There is no such page.")
    return RightKind(text)
