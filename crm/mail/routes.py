"""Pages of kept mail, mail in doubt, and the addresses that the provider posts to."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Any

import structlog
from flask import Blueprint, Response, flash, redirect, render_template, request, send_file, url_for
from flask_babel import gettext as _

from crm.accounts.access import current_viewer, public, requires
from crm.accounts.looks import saw
from crm.core import clock
from crm.core.application import current_settings
from crm.core.database import db
from crm.core.errors import Invalid, NotAllowed, NotFound
from crm.core.viewer import Permission
from crm.mail import events, inbound, mailbox, replies, settle, webhook
from crm.mail.models import MailboxItem
from crm.mail.preview import framed
from crm.web.paging import keyset

bp = Blueprint("mail", __name__)
log = structlog.get_logger(__name__)
LARGEST_POST = 40 * 1024 * 1024
LARGEST_ID = 2**63 - 1


def _mail(item_id: int) -> mailbox.KeptMail:
    if current_settings().mail != "mailbox" or item_id > LARGEST_ID:
        raise NotFound(_("There is no such mail."))
    return mailbox.load_mail(db.session(), item_id)


@bp.get("/mailbox")
@requires(Permission.MAILBOX)
def index() -> str:
    """The kept mails, newest first."""
    if current_settings().mail != "mailbox":
        raise NotFound(_("Mail is really sent here, and so it is not kept."))
    search = request.args.get("q", "").replace("\x00", "")[:320]
    keys = [MailboxItem.at, MailboxItem.id]
    page = keyset(
        db.session(), mailbox.kept_mails(search), keys, after=request.args.get("after"),
        descending=True,
    )  # fmt: skip
    saw("mailbox", mailbox.people_of([row.MailboxItem.message_id for row in page.items]))
    return render_template(
        "crm/mail/mailbox.html", page=page, search=search, subject_of=mailbox.subject_of
    )


@bp.get("/mailbox/<int:item_id>")
@requires(Permission.MAILBOX)
def detail(item_id: int) -> str:
    """One kept mail as a mail program shows it."""
    mail = _mail(item_id)
    saw("mailbox", mailbox.people_of([mail.item.message_id]))
    return render_template("crm/mail/mail.html", mail=mail)


@bp.get("/mailbox/<int:item_id>/html")
@requires(Permission.MAILBOX)
def html(item_id: int) -> Response:
    """The mail's own HTML, for its frame, in which nothing may run."""
    return framed(_mail(item_id).html)


@bp.get("/mailbox/<int:item_id>/files/<int:file_id>")
@requires(Permission.MAILBOX)
def attachment(item_id: int, file_id: int) -> Response:
    """A file that came with a kept mail."""
    for file in _mail(item_id).attachments:
        if file.id == file_id:
            return send_file(
                BytesIO(file.body), mimetype="application/octet-stream", as_attachment=True,
                download_name=file.name,
            )  # fmt: skip
    raise NotFound(_("There is no such file."))


@bp.get("/mail-in-doubt")
@requires(Permission.MAILBOX)
def doubt() -> str:
    """Messages that may or may not have gone."""
    rows = settle.in_doubt(db.session())
    saw("mail in doubt", [row.message.alumnus_id for row in rows if row.message.alumnus_id])
    return render_template("crm/mail/doubt.html", rows=rows)


@bp.post("/mail-in-doubt")
@requires(Permission.MAILBOX)
def decide() -> Any:
    """Take one of them as sent, or send it again."""
    if request.form.get("how") not in list(settle.How):
        raise Invalid(_("Say whether it was sent."))
    settle.settle(
        db.session(), settle.How(request.form["how"]), name=request.form.get("message", ""),
        by=current_viewer(), at=clock.now(),
    )  # fmt: skip
    db.session.commit()
    flash(_("Settled."))
    return redirect(url_for("mail.doubt"), 303)


@bp.post("/hooks/sendgrid/events")
@public
def sendgrid_events() -> tuple[str, int]:
    """What the provider tells of our messages; signed, or refused."""
    at = clock.now()
    body = _signed_body(current_settings().sendgrid_webhook_public_key, at)
    events.take_in(db.session(), webhook.parse(body), at=at)
    db.session.commit()
    return "", 204


@bp.post("/hooks/sendgrid/inbound")
@public
def sendgrid_inbound() -> tuple[str, int]:
    """A mail that somebody wrote back; signed, or refused."""
    at, settings = clock.now(), current_settings()
    key = settings.sendgrid_inbound_public_key or settings.sendgrid_webhook_public_key
    _signed_body(key, at)
    replies.take_in(db.session(), inbound.read(request.form), at=at)
    db.session.commit()
    return "", 204


def _signed_body(key: str | None, at: datetime) -> bytes:
    """The body of a post that carries the provider's signature; raises `NotAllowed`."""
    request.max_content_length = request.max_form_memory_size = LARGEST_POST
    body = request.get_data(cache=True)
    try:
        webhook.check_signature(
            body, at=at, signature=request.headers.get(webhook.SIGNATURE, ""),
            timestamp=request.headers.get(webhook.TIMESTAMP, ""), public_key=key,
        )  # fmt: skip
    except NotAllowed as error:
        log.warning("mail.hook_refused", hook=request.endpoint, reason=str(error))
        raise
    return body
