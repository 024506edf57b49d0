"""`events list`, `events invite KEY`, `events report KEY`."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.errors import Invalid
from crm.core.viewer import SYSTEM
from crm.events import inviting, queries
from crm.events.access import load_event
from crm.events.models import Event
from crm.events.queries import Figures
from crm.events.report import to_json

events = AppGroup("events", help="Reunions, talks and meetings.")


@events.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@reporting
def list_events(limit: int) -> dict[str, Any]:
    """The latest events and how they stand."""
    latest = select(Event).order_by(Event.starts_at.desc(), Event.id.desc()).limit(limit)
    found = list(db.session.scalars(latest))
    figures = queries.figures_of(db.session(), [event.id for event in found])
    rows = [
        {
            "key": event.key, "title": event.title, "kind": event.kind.value,
            "state": event.state.value, "starts_at": event.starts_at, "capacity": event.capacity,
            **figures.get(event.id, Figures()).to_json(),
        }
        for event in found
    ]  # fmt: skip
    return {"count": len(rows), "events": rows}


@events.command("invite")
@click.argument("key")
@click.option("--query", help="Whom to invite; without it, whom was meant the last time.")
@reporting
def invite(key: str, query: str | None) -> dict[str, Any]:
    """Invite everybody whom a query means and who is not invited yet."""
    session = db.session()
    event = load_event(session, SYSTEM, key, lock=True)
    wanted = query if query is not None else event.query
    if not wanted.strip():
        raise Invalid("Say whom to invite: --query 'class:2010..2015'.")
    done = inviting.invite(session, event, wanted, by=SYSTEM, at=clock.now())
    session.commit()
    mail = queries.mail_report(session, event).to_json()
    return {"key": key, "new": done.new, "already": done.already, **mail}


@events.command("report")
@click.argument("key")
@reporting
def report(key: str) -> dict[str, Any]:
    """Who was invited, what they answered, and who came."""
    return to_json(db.session(), load_event(db.session(), SYSTEM, key))
