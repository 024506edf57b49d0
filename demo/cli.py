"""`homecoming demo`: build a demo district and serve it."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask_migrate import upgrade
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import AuditEntry, User
from crm.accounts.signin import sign_in_link
from crm.alumni.models import Alumnus
from crm.core import clock, operations
from crm.core.cli import reporting, say, show
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.months import keep_up
from crm.core.viewer import SYSTEM
from crm.interactions.models import Interaction
from demo.desk import COORDINATOR
from demo.replay import Replay
from demo.trial import demo_policies
from segments.targeting import service as targeting
from segments.targeting import training

LINK_LIFE = timedelta(days=7)
KEPT = ("alembic_version", "topic", "way", "subject")
DEFAULT_PEOPLE, DEFAULT_SEED = 5000, 2026


@click.command("demo")
@click.option("--people", type=click.IntRange(50, 1_000_000), help="How many alumni; 5000 without.")
@click.option("--seed", type=int, help="The same seed gives the same district; 2026 without.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--no-serve", is_flag=True, help="Build it only.")
@click.option("--rebuild", is_flag=True, help="Throw an earlier demo district away first.")
@reporting
def demo(
    people: int | None, seed: int | None, port: int, no_serve: bool, rebuild: bool
) -> dict[str, Any] | None:
    """Build a demo district with five years of invented history, and serve it.

    Everything goes through the real import, engine and mail code. A district that stands already
    is served as it is; nothing that was not built by this command is ever touched.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    operations.base_address(app, "127.0.0.1", port)
    say("Getting the database ready …")
    upgrade()
    ready(app, people, seed, rebuild=rebuild)
    session, at = db.session(), clock.now()
    user = session.scalars(select(User).where(User.email == COORDINATOR)).one()
    link = sign_in_link(session, user, at=at, life=LINK_LIFE)
    built = session.scalars(_marks("demo.built")).one()
    counts = {
        "people": built.detail["people"],
        "records": session.scalar(select(func.count()).select_from(Alumnus)),
        "interactions": session.scalar(select(func.count()).select_from(Interaction)),
        "url": link,
    }
    session.commit()
    if no_serve:
        return counts
    serve(app, port, counts)
    return None


def ready(app: Flask, people: int | None, seed: int | None, *, rebuild: bool) -> None:
    """See that the demo district stands: serve the one there is, finish or make another."""
    session = db.session()
    began = session.scalars(_marks("demo.began")).first()
    built = session.scalars(_marks("demo.built")).first()
    if began is None and session.scalar(select(Alumnus.id).limit(1)) is not None:
        raise Refused(
            [
                (
                    "This database holds a real district. The demo builds only into an empty one: "
                    "name another with HOMECOMING_DATABASE_URL or HOMECOMING_INSTANCE."
                )
            ]
        )
    if built is not None and not rebuild:
        wanted = {k: v for k, v in (("people", people), ("seed", seed)) if v is not None}
        if any(built.detail[key] != value for key, value in wanted.items()):
            raise Refused(
                [
                    (
                        f"A demo district of {built.detail['people']} people (seed "
                        f"{built.detail['seed']}) stands already; add --rebuild to replace it."
                    )
                ]
            )
        return
    if began is not None:
        say("Clearing away the earlier demo district …")
        _clear(session)
    _build(app, people or DEFAULT_PEOPLE, DEFAULT_SEED if seed is None else seed, clock.now())


def _marks(action: str) -> Any:
    return select(AuditEntry).where(AuditEntry.object_kind == "demo", AuditEntry.action == action)


def _clear(session: Session) -> None:
    """Empty every table but the words that migrations brought."""
    tables = ", ".join(t.name for t in db.metadata.sorted_tables if t.name not in KEPT)
    session.execute(text("set local homecoming.erasing = 'yes'"))
    session.execute(text(f"truncate {tables} restart identity cascade"))
    session.commit()
    session.expunge_all()


def _build(app: Flask, people: int, seed: int, until: datetime) -> None:
    session = db.session()
    size = {"key": people, "people": people, "seed": seed}
    audit.record(session, "demo.began", kind="demo", by=SYSTEM, at=until, **size)
    session.commit()
    folder = Path(app.instance_path) / "demo"
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with (
        _hurried(session),
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task("Five years of history", total=1.0)
        replay = Replay(
            app, people, seed, until, folder,
            progress=lambda month, part: bar.update(task, description=f"Living through {month}", completed=part),
        )  # fmt: skip
        replay.run()
    with clock.at(until):
        if training.train(session, way_key=targeting.EVERY_WAY, by=SYSTEM, at=until):
            targeting.store_scores(session, way_key=targeting.EVERY_WAY, at=until)
        audit.record(session, "demo.built", kind="demo", by=SYSTEM, at=until, **size)
        session.commit()
        keep_up(session, until)
        session.execute(text("analyze"))
        session.commit()


@contextmanager
def _hurried(session: Session) -> Iterator[None]:
    """Do not wait for the disk at each commit: a build that is cut off is begun anew anyway.

    Statements are built and thrown away by the ten thousand, so rubbish is looked for less often.
    A hundred deliveries are no news to whoever waits for a district.
    """

    def hurry(connection: Any, _: Any) -> None:
        connection.execute("set synchronous_commit = off")
        connection.commit()

    session.commit()
    db.engine.dispose()
    event.listen(db.engine, "connect", hurry)
    usual, deliveries = gc.get_threshold(), logging.getLogger("crm.mail.delivery")
    shown = deliveries.level
    deliveries.setLevel(logging.WARNING)
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
        deliveries.setLevel(shown)
        event.remove(db.engine, "connect", hurry)
        session.rollback()
        db.engine.dispose()


def serve(app: Flask, port: int, counts: dict[str, Any]) -> None:
    """Serve the district until Ctrl-C."""

    def announce(address: str) -> None:
        say(
            f"Riverbend Public Schools: {counts['people']} people, {counts['interactions']} interactions."
        )
        say(
            f"Open this address to sign in as the coordinator:\n\n  {counts['url']}\n\nCtrl-C ends it."
        )
        show({**counts, "address": address}, as_json=False)

    # Months of a made-up past go in the first night: no news to whoever looks at a demo.
    logging.getLogger("crm.rights.retention").setLevel(logging.WARNING)
    operations.run(app, port=port, web=True, worker=True, clock=True, announce=announce)


def init_app(app: Flask) -> None:
    """Add the commands."""
    app.cli.add_command(demo)
    app.cli.add_command(demo_policies)
