"""The mailbox, mail in doubt, and what other pages and commands tell of mail."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.core.extend import extensions
from crm.core.viewer import Role
from crm.mail.delivery import deliver
from crm.mail.models import MailboxItem, Message, MessageAttachment, MessageClass, MessageState
from crm.mail.outbox import Attachment
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make


@pytest.fixture
def kept(app: Flask, session: Session, make: Make, now: datetime) -> MailboxItem:
    """A mail with a script in its reader's name and a file, kept in the mailbox."""
    person = make.alumnus("<script>alert(1)</script>", email="eve@mail.example")
    files = [Attachment("talk.html", "text/html", b"<script>x</script>")]
    queue(session, person, make_content(session, now), now, attachments=files)
    session.commit()
    deliver(app, at=now)
    return session.scalars(select(MailboxItem)).one()


def test_kept_mail_is_listed_and_found_by_address(
    coordinator: FlaskClient, kept: MailboxItem
) -> None:
    assert "News for &lt;script&gt;" in coordinator.get("/mailbox").text
    assert "eve@mail.example" in coordinator.get("/mailbox?q=EVE@").text
    assert "Nothing to this address" in coordinator.get("/mailbox?q=%25").text


def test_a_mail_is_shown_in_a_frame_in_which_nothing_may_run(
    coordinator: FlaskClient, kept: MailboxItem
) -> None:
    page = coordinator.get(f"/mailbox/{kept.id}").text
    assert 'sandbox="allow-popups"' in page
    assert "List-Unsubscribe-Post" in page
    frame = coordinator.get(f"/mailbox/{kept.id}/html")
    policy = frame.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script>" not in frame.text
    assert "style-src 'unsafe-inline'" in policy


def test_a_file_is_downloaded_and_never_opened_in_the_page(
    coordinator: FlaskClient, kept: MailboxItem, session: Session
) -> None:
    file_id = session.scalars(select(MessageAttachment.id)).one()
    answer = coordinator.get(f"/mailbox/{kept.id}/files/{file_id}")
    assert answer.data == b"<script>x</script>"
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert coordinator.get(f"/mailbox/{kept.id}/files/{file_id + 1}").status_code == 404


@pytest.mark.parametrize("path", ["/mailbox/999", f"/mailbox/{'9' * 30}", "/mailbox/999/html"])
def test_a_mail_that_is_not_there_is_not_found(coordinator: FlaskClient, path: str) -> None:
    assert coordinator.get(path).status_code == 404


def test_the_mailbox_is_for_those_who_may_and_only_where_mail_is_kept(
    app: Flask, login_as: Callable[[User], FlaskClient], make: Make, kept: MailboxItem,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert login_as(make.user(Role.VIEWER)).get(f"/mailbox/{kept.id}").status_code == 403
    office = login_as(make.user())
    changed = app.config["SETTINGS"].model_copy(update={"mail": "smtp"})
    monkeypatch.setitem(app.config, "SETTINGS", changed)
    assert office.get("/mailbox").status_code == 404
    assert office.get(f"/mailbox/{kept.id}").status_code == 404


@pytest.mark.parametrize(("how", "state"), [("sent", "accepted"), ("again", "queued")])
def test_a_person_decides_about_mail_in_doubt(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime, how: str, state: str
) -> None:
    identity = queue(session, make.alumnus(), make_content(session, now), now)
    message = session.get_one(Message, identity)
    message.state, message.claimed_at = MessageState.UNCERTAIN, now
    session.commit()
    assert "Send it again" in coordinator.get("/mail-in-doubt").text
    answer = coordinator.post("/mail-in-doubt", data={"message": str(identity), "how": how})
    assert answer.status_code == 303
    session.expire_all()
    assert session.get_one(Message, identity).state == state


@pytest.mark.parametrize(
    "data", [{}, {"how": "perhaps"}, {"how": "again"}, {"how": "sent", "message": "\x00"}]
)
def test_a_decision_about_nothing_is_refused(
    coordinator: FlaskClient, session: Session, make: Make, now: datetime, data: dict[str, str]
) -> None:
    queue(session, make.alumnus(), make_content(session, now), now)
    session.commit()
    assert coordinator.post("/mail-in-doubt", data=data).status_code in {404, 422}


def test_the_reasons_tell_what_went_and_what_did_not(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    version = make_content(session, now)
    queue(session, person, version, now, key="a")
    queue(session, person, version, now, key="b", topic_key="giving", origin="campaign:b")
    deliver(app, at=now)
    lines = [line for why in extensions(app).why for line in why(session, person.id, now)]
    mine = [line for line in lines if line.startswith("“Spring”")]
    assert any("sent." in line for line in mine)
    assert any("not sent: this topic needs their agreement" in line for line in mine)


def test_monitoring_sees_what_waits_and_what_is_in_doubt(
    app: Flask, session: Session, make: Make, now: datetime
) -> None:
    queue(session, make.alumnus(), make_content(session, now), now)
    figures = {
        name: value for source in extensions(app).metrics for name, _, value in source(session, now)
    }
    assert figures["homecoming_messages_due"] == 1
    assert figures["homecoming_messages_uncertain"] == 0


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["reconcile"], {"requeued", "uncertain"}),
        (["settle", "sent"], {"settled"}),
        (["ship"], {"versions"}),
        (["deliver", "--as-of", "2026-09-15T12:00"], {"accepted", "waiting", "failed"}),
    ],
)
def test_commands_answer_in_json(runner: Any, arguments: list[str], keys: set[str]) -> None:
    result = runner.invoke(args=["mail", *arguments, "--json"])
    assert result.exit_code == 0
    assert keys <= json.loads(result.stdout.splitlines()[-1]).keys()


def test_a_page_of_a_person_shows_their_mail(
    app: Flask, coordinator: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    queue(session, person, make_content(session, now), now, message_class=MessageClass.IMMEDIATE)
    session.commit()
    deliver(app, at=now)
    page = coordinator.get(f"/people/{person.id}").text
    assert "Mail to this person" in page
    assert "Spring" in page
