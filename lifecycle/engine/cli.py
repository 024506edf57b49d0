"""`lifecycle advance`, `lifecycle verify`, `lifecycle why`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import String, cast, or_, select
from sqlalchemy.orm import Session

from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting, say
from crm.core.database import db
from crm.core.errors import NotFound
from crm.core.extend import extensions
from crm.core.viewer import SYSTEM
from crm.mail.models import Message
from lifecycle.continuum.queries import standing_of
from lifecycle.continuum.verifying import verify as verify_standings
from lifecycle.engine.service import advance as advance_all
from lifecycle.journeys.explain import message_words
from lifecycle.journeys.models import Journey, JourneyVersion
from lifecycle.journeys.outside import not_entered, why_outside
from lifecycle.journeys.queries import document_of, live_version, load_journey
from lifecycle.journeys.whys import whys

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
@click.option("--id", "person", help="External id (system:value) or our own.")
@click.option("--message", "message", help="A message's id or key: only what became of it.")
@click.option("--journey", "journey", help="A journey's key: in bulk by step, or for --id alone.")
@click.option("--step", "step", help="Of the journey, this step only.")
@reporting
def why(
    person: str | None, message: str | None, journey: str | None, step: str | None
) -> dict[str, Any]:
    """Why somebody stands where they stand, and got or did not get what they got.

    Without --id, of a journey's people by step: who waits, is held, was skipped, does not enter.
    """
    session, at = db.session(), clock.now()
    if person is None:
        if journey is None:
            raise click.UsageError("Say whom: --id, or --journey for everybody in it.")
        return _why_journey(session, journey, step, at)
    alumnus_id = resolve_person(session, person)
    if message is not None:
        return _why_message(session, alumnus_id, message)
    if journey is not None:
        return _why_outside(session, alumnus_id, journey, at)
    standing = standing_of(session, alumnus_id)
    lines = [line for reasons in extensions().why for line in reasons(session, alumnus_id, at)]
    return {
        "id": alumnus_id, "phase": standing.phase if standing else None,
        "stage": standing.stage if standing else None, "reasons": lines,
    }  # fmt: skip


def _live(session: Session, key: str) -> tuple[Journey, JourneyVersion]:
    journey = load_journey(session, key)
    version = live_version(session, journey)
    if version is None:
        raise NotFound(f"The journey “{key[:60]}” has never been live.")
    return journey, version


def _why_journey(session: Session, key: str, step: str | None, at: datetime) -> dict[str, Any]:
    """The figures of a journey's live version, of one step if it is named."""
    journey, version = _live(session, key)
    if step is not None and step not in {one.id for one in document_of(version).steps}:
        raise NotFound(f"The journey “{key[:60]}” has no step “{step[:60]}”.")
    found = whys(session, journey, version, SYSTEM, at, step=step)
    if step is None:
        found = [*not_entered(session, journey, version, SYSTEM, at), *found]
    for one in found:
        say(f"{one.step or 'entry'}: {one.people} {one.what}: {one.words}")
    figures = [{**asdict(one), "words": one.words} for one in found]
    return {"key": key, "version": version.no, "figures": figures}


def _why_outside(session: Session, alumnus_id: int, key: str, at: datetime) -> dict[str, Any]:
    """What keeps one person out of a journey, with the values that decide."""
    journey, version = _live(session, key)
    outside = why_outside(session, journey, version, alumnus_id, SYSTEM, at)
    failing = [asdict(part) for part in outside.failing]
    return {
        "id": alumnus_id, "key": key, "reason": outside.reason, "failing": failing,
        "reasons": [outside.words],
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
