"""`lifecycle advance`, `lifecycle verify`, `lifecycle why`."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.errors import NotFound
from crm.core.extend import extensions
from crm.mail.models import Message
from lifecycle.continuum.queries import standing_of
from lifecycle.continuum.verifying import verify as verify_standings
from lifecycle.engine.service import advance as advance_all
from lifecycle.journeys.explain import message_words

lifecycle = AppGroup("lifecycle", help="The continuum, journeys and campaigns.")


@lifecycle.command("advance")
@reporting
def advance() -> dict[str, Any]:
    """One full tick: phases, stages, journeys and campaigns that are due."""
    return advance_all(clock.now()).to_json()


@lifecycle.command("verify")
@reporting
def verify() -> dict[str, Any]:
    """Hold every standing against a recomputation from scratch.

    People whom the next tick will look at anyway are counted as pending, not as checked.
    """
    found = verify_standings(db.session(), clock.now())
    return {
        "checked": found.checked, "differing": found.differing, "pending": found.pending,
        "examples": found.examples,
    }  # fmt: skip


@lifecycle.command("why")
@click.option("--id", "person", required=True, help="External id (system:value) or our own.")
@click.option("--message", "message", help="A message's id or key: only what became of it.")
@reporting
def why(person: str, message: str | None) -> dict[str, Any]:
    """Why somebody stands where they stand, and got or did not get what they got."""
    session, at = db.session(), clock.now()
    alumnus_id = resolve_person(session, person)
    if message is not None:
        return _why_message(session, alumnus_id, message)
    standing = standing_of(session, alumnus_id)
    lines = [line for reasons in extensions().why for line in reasons(session, alumnus_id, at)]
    return {
        "id": alumnus_id, "phase": standing.phase if standing else None,
        "stage": standing.stage if standing else None, "reasons": lines,
    }  # fmt: skip


def _why_message(session: Session, alumnus_id: int, name: str) -> dict[str, Any]:
    """What became of one message of a person."""
    plain = name.replace("\x00", "")
    named = or_(Message.key == plain, cast(Message.id, String) == plain.lower())
    found = session.scalars(
        select(Message).where(Message.alumnus_id == alumnus_id, named)
    ).one_or_none()
    if found is None:
        raise NotFound(f"This person has no message “{name[:80]}”.")
    return {
        "id": alumnus_id, "message": str(found.id), "key": found.key, "origin": found.origin,
        "state": found.state.value, "reason": found.reason, "queued_at": found.queued_at,
        "reasons": [message_words(found)],
    }  # fmt: skip
