"""Whoever sees somebody's address leaves an entry, whichever page showed it (ADR 14)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from crm.accounts.models import LOOKED, AuditEntry, User
from crm.alumni.models import ContactPoint
from crm.core.viewer import Role
from tests.factories import Make
from tests.rules.district import addresses, seed


def test_a_page_that_shows_an_address_writes_down_who_saw_it(
    app: Flask, make: Make, session: Session, login_as: Callable[[User], FlaskClient]
) -> None:
    district = seed(make)
    person = district.places["alumnus_id"]
    shown = select(ContactPoint.value).where(ContactPoint.alumnus_id == person)
    values = [value for value in session.scalars(shown) if value]
    browser = login_as(district.users[Role.COORDINATOR])
    silent = []
    for rule, address in addresses(app, district, "GET"):
        if app.view_functions[rule.endpoint].access == "public":  # type: ignore[attr-defined]
            continue
        session.execute(delete(AuditEntry).where(AuditEntry.action == LOOKED))
        session.commit()
        answer = browser.get(address)
        if answer.status_code != 200 or not any(value in answer.text for value in values):
            continue
        looks = select(AuditEntry.object_id).where(AuditEntry.action == LOOKED)
        if str(person) not in set(session.scalars(looks)):
            silent.append(f"{rule.endpoint} at {address}")
    assert silent == [], "say saw(...) there (crm.accounts.looks)"
