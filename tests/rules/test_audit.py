"""Every change leaves its entry in the audit trail, whoever wrote the route."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from crm.accounts.deeds import ACTIONS, FIELDS, KINDS, UNSAID
from crm.accounts.models import LOOKED, AuditEntry, User
from crm.accounts.telling import as_fields, parts
from crm.core.viewer import Role
from crm.mail.models import Message
from tests.factories import Make
from tests.rules.audited import BEFORE, TAUGHT, WITHOUT_ENTRY
from tests.rules.district import District, addresses, seed
from tests.rules.test_limits import LIMITED, MAILS_ONCE

EDITS = re.compile(r"(^|[._])(edit|edited|changed|moved|saved|renamed)$")
"""Actions whose entries say what was before and what is after."""


def test_every_post_leaves_an_entry_and_mails_within_a_limit(
    app: Flask, make: Make, session: Session, login_as: Callable[[User], FlaskClient]
) -> None:
    district = seed(make)
    coordinator = district.users[Role.COORDINATOR].id
    office = login_as(district.users[Role.COORDINATOR])
    forms = forms_of(app, district, office)
    silent, mailing, partial, wordless = [], [], [], set()
    for rule, address in addresses(app, district, "POST"):
        if rule.endpoint in WITHOUT_ENTRY:
            continue
        fields = {**forms.get(address, {}), **taught(rule.endpoint)}
        login_as(session.get_one(User, coordinator))
        with put_back(session):
            if rule.endpoint in BEFORE:
                session.execute(text(BEFORE[rule.endpoint]))
                session.commit()
            before, letters = len(entries(session)), mailed(session)
            answer = posted(office, address, fields)
            if len(entries(session)) == before:
                silent.append(f"{rule.endpoint} answers {answer} and leaves no entry")
            if mailed(session) > letters and rule.endpoint not in {*LIMITED, *MAILS_ONCE}:
                mailing.append(rule.endpoint)
            partial += [
                f"{rule.endpoint}: {e.action} {e.detail}"
                for e in entries(session)[before:]
                if EDITS.search(e.action) and not tells_both(e.detail)
            ]
            for entry in entries(session)[before:]:
                wordless |= unnamed(entry)
    hint = "record it (crm.accounts.audit), teach its form to TAUGHT, or say why in WITHOUT_ENTRY"
    assert not silent, "\n".join(["", *silent, hint])
    assert not partial, "\n".join(["these tell no before and after:", *partial])
    assert wordless == set(), "these need words (crm/accounts/deeds.py)"
    assert mailing == [], "these mail without a limit (crm.core.throttle): see test_limits.py"


def test_the_reasons_are_of_routes_that_there_are(app: Flask) -> None:
    endpoints = {r.endpoint for r in app.url_map.iter_rules() if "POST" in (r.methods or ())}
    assert (set(WITHOUT_ENTRY) | set(TAUGHT) | set(BEFORE)) - endpoints == set()


@contextmanager
def put_back(session: Session) -> Iterator[None]:
    """Undo what is committed meanwhile: routes commit, and one must not disturb the next."""
    session.commit()
    connection = session.connection()
    session.commit()
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        session.rollback()
        session.expunge_all()
        savepoint.rollback()


def entries(session: Session) -> list[AuditEntry]:
    """The entries that people made, in order; looks are written by the page (ADR 14)."""
    statement = select(AuditEntry).where(AuditEntry.action != LOOKED).order_by(AuditEntry.id)
    return list(session.scalars(statement))


def tells_both(detail: dict[str, Any]) -> bool:
    """Whether an edit's entry says what was and what is now, field by field."""
    if "before" in detail:
        both = detail["before"], detail["after"]
        fields = all(isinstance(side, dict) for side in both)
        return both[0] != both[1] and (not fields or set(both[0]) == set(both[1]))
    return any(isinstance(pair, list) and len(pair) == 2 for pair in detail.values())


def unnamed(entry: AuditEntry) -> set[str]:
    """What an entry says that the trail has no words for: its action, its kind, its fields."""
    before, after, facts = parts(entry)
    fields = {*as_fields(before), *as_fields(after), *facts} - {"", *UNSAID}
    return {
        *({entry.action} - ACTIONS.keys()), *({entry.object_kind} - KINDS.keys()),
        *(fields - FIELDS.keys() if entry.object_kind != "setting" else ()),
    }  # fmt: skip


def mailed(session: Session) -> int:
    """How many messages there are."""
    return session.scalar(select(func.count()).select_from(Message)) or 0


def taught(endpoint: str) -> dict[str, Any]:
    """Fields of its form by name; a text with a file name is sent as a file."""
    return {
        name: (io.BytesIO(value[0].encode()), value[1]) if isinstance(value, tuple) else value
        for name, value in TAUGHT.get(endpoint, {}).items()
    }


def posted(browser: FlaskClient, address: str, fields: dict[str, Any]) -> str:
    """What came of it, for whoever must mend it."""
    try:
        answer = browser.post(address, data=fields)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:120]}"
    return f"{answer.status_code} {answer.headers.get('Location', '')}"


def forms_of(app: Flask, district: District, browser: FlaskClient) -> dict[str, dict[str, Any]]:
    """The fields of the forms on all pages with the values that they come with, by address."""
    found: dict[str, dict[str, Any]] = {}
    for _, address in addresses(app, district, "GET"):
        try:
            page = browser.get(address)
        except Exception:
            continue
        if page.mimetype != "text/html":
            continue
        for form in BeautifulSoup(page.text, "html.parser").find_all("form", method="post"):
            found.setdefault(str(form.get("action") or address), values_of(form))
    return found


def values_of(form: Tag) -> dict[str, Any]:
    """What a browser would send if one pressed the form's first button."""
    values: dict[str, list[str]] = {}

    def add(tag: Tag, value: object) -> None:
        if tag.get("name"):
            values.setdefault(str(tag["name"]), []).append(str(value or ""))

    for tag in form.find_all(["input", "textarea", "select"]):
        kind = tag.get("type", "text")
        if tag.name == "textarea":
            add(tag, tag.get_text().lstrip("\r\n"))
        elif tag.name == "select":
            chosen = tag.find_all("option", selected=True) or (
                [] if tag.has_attr("multiple") else tag.find_all("option")[:1]
            )
            for option in chosen:
                add(tag, option.get("value"))
        elif kind not in {"checkbox", "radio"} or tag.has_attr("checked"):
            add(tag, tag.get("value", "on" if kind == "checkbox" else ""))
    button = form.find("button", attrs={"name": True})
    if button is not None:
        add(button, button.get("value"))
    return {name: mine if len(mine) > 1 else mine[0] for name, mine in values.items()}
