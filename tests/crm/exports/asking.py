"""Asking for an export and reading what came of it."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from crm.accounts.models import User
from crm.exports.models import ExportRun

Login = Callable[[User], FlaskClient]


ASK = {"q": "", "kind": "csv", "columns": ["id", "given_name"], "reason": "the reunion"}


def ask(browser: FlaskClient, **changes: object) -> int:
    """Ask for an export and answer its number."""
    answer = browser.post("/exports/new", data={**ASK, **changes})
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


def run_of(session: Session, export_id: int) -> ExportRun:
    return session.get_one(ExportRun, export_id, populate_existing=True)
