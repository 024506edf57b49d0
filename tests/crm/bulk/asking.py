"""A change to many people, asked for and looked at."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.bulk import background
from crm.bulk.models import BulkLine, BulkRun, Fate

WAY = {"action": "way", "key": "mentor", "doing": "set"}


def ask(browser: FlaskClient, data: dict[str, Any], **whom: Any) -> int:
    """Ask for a change, have the people looked at, and answer its number."""
    answer = browser.post("/bulk/new", data={"q": "", **data, **whom})
    assert answer.status_code == 303, answer.text
    run_id = int(answer.headers["Location"].rpartition("/")[2])
    background.work(run_id)
    return run_id


def press(browser: FlaskClient, run_id: int, verb: str) -> None:
    """Press a button of the change's page, and do the work."""
    answer = browser.post(f"/bulk/{run_id}/{verb}")
    assert answer.status_code == 303, answer.text
    background.work(run_id)


def run_of(session: Session, run_id: int) -> BulkRun:
    return session.get_one(BulkRun, run_id, populate_existing=True)


def fates(session: Session, run_id: int) -> dict[int, Fate]:
    rows = session.execute(
        select(BulkLine.alumnus_id, BulkLine.fate).where(BulkLine.run_id == run_id)
    )
    return dict(rows.all())
