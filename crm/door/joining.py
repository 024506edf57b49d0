"""Joining: what is posted waits, a letter is decided apart, and only its link makes a record.

The post itself does the same work whoever the address is of: it keeps a row and asks for a letter.
Whether the address is known, and what the letter says, is decided by a job that no visitor waits
for.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.contacts import email_form
from crm.alumni.models import Alumnus, ContactKind, ContactOwner, ContactPoint
from crm.alumni.names import fold
from crm.core import clock
from crm.core.application import current_settings
from crm.core.database import db
from crm.core.jobs import jobs
from crm.door import gate
from crm.door.models import JoinPending
from crm.door.seniors import WORKING
from crm.links.letters import send_letter

LETTER = "door.letter"
LIFE = timedelta(days=3)
ORIGIN = "link:join"
BATCH = 50


def ask(
    session: Session, address: str, wish: Mapping[str, Any], *, language: str, at: datetime
) -> JoinPending:
    """Keep what was posted and ask for its letter; raises `Invalid` for no mail address."""
    value, key = email_form(address)
    row = JoinPending(
        email=value, email_key=key, language=language, wish=dict(wish), created_at=at,
        expires_at=at + LIFE,
    )  # fmt: skip
    session.add(row)
    session.flush()
    jobs(current_app._get_current_object()).enqueue(session, LETTER, pending_id=row.id)  # type: ignore[attr-defined]
    return row


def letter(pending_id: int) -> None:
    """The job: decide and queue the letter of one row."""
    session, at = db.session(), clock.now()
    row = session.get(JoinPending, pending_id, with_for_update={"skip_locked": True})
    if row is not None and row.mailed_at is None:
        decide(session, row, at=at)
    session.commit()


def letters(at: datetime) -> None:
    """The clock's knock: letters whose job was lost."""
    session = db.session()
    rows = session.scalars(
        select(JoinPending)
        .where(JoinPending.mailed_at.is_(None), JoinPending.created_at <= at - timedelta(minutes=2))
        .order_by(JoinPending.created_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        decide(session, row, at=at)
    session.commit()


def decide(session: Session, row: JoinPending, *, at: datetime) -> None:
    """Queue the one letter of a row: to confirm, or for somebody known their own page; or none."""
    if row.expires_at <= at or not gate.may_write(session, row.email_key, at=at):
        session.delete(row)
        return
    row.mailed_at = at
    known = known_by(session, row.email_key, row.wish)
    if known is not None:
        send_letter(
            session, "join-known", key=f"join:{row.id}", to_address=row.email,
            language=row.language, merge={}, origin=ORIGIN, at=at, expires_at=row.expires_at,
            alumnus_id=known.id,
        )  # fmt: skip
        session.delete(row)
        return
    token = secrets.token_urlsafe(32)
    row.token_hash = digest(token)
    send_letter(
        session, "join-confirm", key=f"join:{row.id}", to_address=row.email,
        language=row.language, merge={"confirm_link": confirm_address(token)}, origin=ORIGIN,
        at=at, expires_at=row.expires_at,
    )  # fmt: skip


def known_by(session: Session, email_key: str, wish: Mapping[str, Any]) -> Alumnus | None:
    """Whose own, working address this is; of several people, the one of that name first."""
    people = session.scalars(
        select(Alumnus)
        .join(ContactPoint, ContactPoint.alumnus_id == Alumnus.id)
        .where(
            ContactPoint.kind == ContactKind.EMAIL, ContactPoint.key == email_key,
            ContactPoint.owner == ContactOwner.OWN, ContactPoint.status.in_(WORKING),
            Alumnus.merged_into_id.is_(None),
        )
        .order_by(Alumnus.id)
        .limit(20)
    ).all()  # fmt: skip
    named = fold(f"{wish.get('given_name', '')} {wish.get('family_name', '')}")
    same = [p for p in people if fold(f"{p.given_name} {p.family_name}") == named]
    return next(iter([*same, *people]), None)


def digest(token: str) -> str:
    """How a token stands in the database."""
    return hashlib.sha256(token.encode()).hexdigest()


def confirm_address(token: str) -> str:
    """The address of a letter's button."""
    return f"{current_settings().base_url}/join/confirm/{token}"
