"""`mail deliver`, `mail reconcile`, `mail settle`, `mail ship`."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask, current_app

from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.mail import because, content, settle
from crm.mail.delivery import deliver
from crm.mail.reconcile import reconcile


@click.group()
def mail() -> None:
    """Hand queued mail to the provider and settle what became of it."""


def _app() -> Flask:
    return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]


@mail.command("deliver")
@reporting
def deliver_command() -> dict[str, Any]:
    """Hand queued messages to the provider until none is due."""
    return deliver(_app(), at=clock.now()).as_dict()


@mail.command("reconcile")
@reporting
def reconcile_command() -> dict[str, Any]:
    """Settle messages whose hand-over has no known outcome, where that is sure."""
    return reconcile(_app(), at=clock.now()).as_dict()


@mail.command("settle")
@click.argument("how", type=click.Choice([how.value for how in settle.How]))
@click.option("--message", help="One message, by its id or key; otherwise all that are in doubt.")
@reporting
def settle_command(how: str, message: str | None) -> dict[str, Any]:
    """Decide by hand about messages in doubt: they went (`sent`), or send them (`again`)."""
    done = settle.settle(db.session(), settle.How(how), name=message, by=SYSTEM, at=clock.now())
    db.session.commit()
    return {"settled": done}


@mail.command("ship")
@reporting
def ship_command() -> dict[str, Any]:
    """Load the contents that come with the program; what staff edited keeps their words."""
    made = content.ship_all(db.session(), clock.now())
    db.session.commit()
    return {"versions": made}


@click.command("why-mail")
@click.option("--id", "who", required=True, help="system:value, an external id, or our number.")
@reporting
def why_mail(who: str) -> dict[str, Any]:
    """Why we may or may not write to a person: the send policy's answer for each kind of mail."""
    session = db.session()
    alumnus_id = resolve_person(session, who)
    found, around = because.told(session, alumnus_id, at=clock.now(), shown=True)
    return {"id": alumnus_id, "answers": because.as_plain(found), "around": around}
