"""What scanners and late readers find behind mailed links."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.accounts import service as accounts
from crm.alumni.models import Alumnus, ContactPoint, ContactStatus
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM, Role
from crm.links.service import mail_fresh_link, revoke_links
from crm.links.tokens import issue, read
from crm.mail.content import Variant, save_content
from crm.mail.delivery import deliver
from crm.mail.models import MailboxBatch, MailboxItem, Message, MessageClass
from crm.mail.outbox import queue_message
from tests.factories import Make

URL = re.compile(r"https?://localhost(/[^\s\"'<>)]*)")


def contents(session: Session) -> dict[str, str]:
    """A fingerprint of every table."""
    found = {}
    for name in (*db.metadata.tables, "procrastinate_jobs"):
        rows = f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {name} t"
        found[name] = session.execute(text(rows)).scalar_one()
    return found


def addresses_in_mail(session: Session) -> set[str]:
    """The path of every address in every mail that was handed over, headers included."""
    found: set[str] = set()
    for batch, item in session.execute(
        select(MailboxBatch, MailboxItem).join(MailboxItem, MailboxItem.batch_id == MailboxBatch.id)
    ):
        whole = " ".join([batch.html, batch.plain, *item.headers.values()])
        for place, value in item.substitutions.items():
            whole = whole.replace(place, value)
        found |= set(URL.findall(whole)) | set(URL.findall(" ".join(item.substitutions.values())))
    return {path.replace("&amp;", "&").rstrip(".,>") for path in found}


def mail_of_every_kind(session: Session, make: Make, app: Flask, now: datetime) -> Alumnus:
    person = make.alumnus("Ada", email="ada@mail.example")
    body = (
        "Hello {{ first_name }}\n\n[My page]({{ profile_link }})\n\n[Stop]({{ unsubscribe_link }})"
    )
    version = save_content(
        session, key="hello", name="Hello", topic_key="news",
        variants={"en": Variant("Hello", "", body)}, by=None, at=now,
    )  # fmt: skip
    queue_message(
        session, key="hello:1", alumnus_id=person.id, version_id=version.id,
        message_class=MessageClass.MARKETING, topic_key="news", origin="campaign:hello", at=now,
    )  # fmt: skip
    accounts.invite(session, email="new@district.example", role=Role.VIEWER, by=SYSTEM, at=now)
    claim = read(issue("profile", alumnus_id=person.id, epoch=0, at=now), "profile", at=now)
    mail_fresh_link(session, claim, client="test", at=now)
    session.commit()
    deliver(app, at=now)
    return person


def test_a_scanner_that_opens_everything_three_times_changes_no_row(
    client: FlaskClient, session: Session, make: Make, app: Flask, now: datetime
) -> None:
    mail_of_every_kind(session, make, app, now)
    client.post("/sign-in", data={"email": "new@district.example"})
    deliver(app, at=now)
    paths = addresses_in_mail(session)
    kinds = {path.split("/")[1] for path in paths}
    assert {"me", "unsubscribe", "sign-in"} <= kinds
    before = contents(session)
    scanner = app.test_client()
    for path in sorted(paths) * 3:
        for variant in (path, path + "?utm_source=scan", path + "?lang=es"):
            answer = scanner.get(variant)
            assert answer.status_code == 200, path
            assert scanner.head(variant).status_code == 200
            assert not answer.headers.get("Location")
    for path in paths:
        if path.startswith("/me/"):
            assert scanner.get(f"{path}/address").status_code == 200
            assert scanner.get(f"{path}/address/code").status_code == 200
            for verb in ("undo", "leave", "revoke"):
                assert scanner.get(f"{path}/{verb}").status_code == 405
    assert contents(session) == before


def test_pages_behind_links_are_private(
    client: FlaskClient, make: Make, session: Session, now: datetime
) -> None:
    person = make.alumnus()
    for purpose, path in (("profile", "/me/"), ("unsubscribe", "/unsubscribe/")):
        token = issue(purpose, alumnus_id=person.id, epoch=0, at=now)
        for answer in (client.get(path + token), client.get(path + "nothing")):
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "same-origin"
            assert "noindex" in answer.headers["X-Robots-Tag"]


def test_no_link_of_ours_tells_nothing(
    client: FlaskClient, make: Make, session: Session, now: datetime
) -> None:
    person = make.alumnus()
    foreign = issue("unsubscribe", alumnus_id=person.id, epoch=0, at=now)
    nobody = issue("profile", alumnus_id=2**60, epoch=0, at=now)
    pages = {client.get(f"/me/{t}").text for t in ("nothing", foreign, nobody, "x.y", "é" * 50)}
    answers = {client.get(f"/me/{t}").status_code for t in ("nothing", foreign, nobody)}
    assert answers == {404}
    assert len({re.sub(r"/me/[^\"?]*", "", page) for page in pages}) == 1


def test_an_old_link_says_so_and_mails_a_fresh_one_to_its_own_address(
    client: FlaskClient, session: Session, make: Make, app: Flask, now: datetime
) -> None:
    person = make.alumnus("Ada", email="ada.mensah@mail.example")
    point = session.scalars(select(ContactPoint)).one()
    token = issue(
        "profile", alumnus_id=person.id, epoch=0, at=now - timedelta(days=91),
        contact_point_id=point.id,
    )  # fmt: skip
    make.email(person, "other@mail.example", preferred=False)
    session.commit()
    page = client.get(f"/me/{token}")
    assert page.status_code == 410
    assert "a•••@mail.example" in page.text
    assert "ada.mensah" not in page.text
    assert "Mensah" not in page.text
    assert (
        client.post("/fresh-link", data={"token": token, "purpose": "profile"}).status_code == 200
    )
    deliver(app, at=now)
    item = session.scalars(select(MailboxItem)).one()
    assert item.to_address == "ada.mensah@mail.example"
    (path,) = {p for p in addresses_in_mail(session) if p.startswith("/me/")}
    assert client.get(path).status_code == 200


def test_a_fresh_link_goes_nowhere_once_the_address_is_not_theirs(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    point = session.scalars(select(ContactPoint)).one()
    token = issue(
        "profile", alumnus_id=person.id, epoch=0, at=now - timedelta(days=91),
        contact_point_id=point.id,
    )  # fmt: skip
    point.status = ContactStatus.RETIRED
    make.email(person, "new@mail.example", preferred=False)
    session.commit()
    answer = client.post("/fresh-link", data={"token": token, "purpose": "profile"})
    assert answer.status_code == 200
    assert session.scalars(select(Message)).all() == []


def test_fresh_links_are_limited(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    session.commit()
    token = issue("profile", alumnus_id=person.id, epoch=0, at=now - timedelta(days=91))
    statuses = []
    for minute in range(6):
        with clock.at(now + timedelta(minutes=minute)):
            data = {"token": token, "purpose": "profile"}
            statuses.append(client.post("/fresh-link", data=data).status_code)
    assert statuses == [200, 200, 200, 429, 429, 429]
    assert len(session.scalars(select(Message)).all()) == 3


@pytest.mark.parametrize(
    "data", [{}, {"token": "x"}, {"token": "x", "purpose": "sign-in"}, {"purpose": "\x00"}]
)
def test_a_bare_request_for_a_fresh_link_finds_nothing(
    client: FlaskClient, session: Session, data: dict[str, str]
) -> None:
    assert client.post("/fresh-link", data=data).status_code in {400, 404}


def test_a_revoked_link_offers_a_fresh_one(
    client: FlaskClient, session: Session, make: Make, now: datetime
) -> None:
    person = make.alumnus()
    token = issue("profile", alumnus_id=person.id, epoch=0, at=now)
    revoke_links(session, person, by=None, at=now)
    session.commit()
    assert client.get(f"/me/{token}").status_code == 410
    assert client.post(f"/me/{token}", data={"city": "Macon"}).status_code == 410
    assert person.city is None


def test_pages_speak_the_persons_language_and_any_other_on_request(
    app: Flask, client: FlaskClient, make: Make, now: datetime
) -> None:
    def page(language: str, query: str = "", accept: str = "") -> Any:
        person = make.alumnus(language=language)
        token = issue("profile", alumnus_id=person.id, epoch=0, at=now)
        visit = app.test_client()
        return visit.get(f"/me/{token}{query}", headers={"Accept-Language": accept}).text

    assert '<html lang="es"' in page("es", accept="en")
    assert '<html lang="es"' in page("es-MX", accept="en")
    assert '<html lang="en"' in page("es", "?lang=en")
    assert '<html lang="am"' in page("am", accept="es")
    assert '<html lang="en"' in page("am", "?lang=en")
    assert '<html lang="am"' in page("ar", accept="am, en;q=0.5")
    assert '<html lang="es"' in page("ar", accept="es")
    assert '<html lang="en"' in page("ar", accept="ar")
