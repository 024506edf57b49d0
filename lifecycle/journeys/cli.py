"""`journeys list`, `check FILE`, `publish FILE`, `export KEY`, `pause`, `resume`, `stop KEY`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting, say
from crm.core.database import db
from crm.core.errors import NotFound, Refused
from crm.core.viewer import SYSTEM
from lifecycle.journeys import queries, service
from lifecycle.journeys.comparing import comparisons
from lifecycle.journeys.differing import differences
from lifecycle.journeys.hand import enter_by_hand
from lifecycle.journeys.models import Journey
from lifecycle.journeys.reading import LARGEST
from lifecycle.journeys.takeover import MOVE, STAY, STOP, Takeover

journeys = AppGroup("journeys", help="Automated programs, written in YAML.")
FILE = click.Path(path_type=Path)


def read_file(path: Path) -> str:
    """The text of a journey file; `Refused` if it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST * 4 + 1)
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise Refused([f"{path}: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise Refused([f"{path}: byte {error.start + 1} is not UTF-8"]) from error


@journeys.command("list")
@reporting
def list_journeys() -> dict[str, Any]:
    """Every journey with its state, live version and people."""
    session = db.session()
    rows = []
    for journey in session.scalars(select(Journey).order_by(Journey.key)):
        live = queries.live_version(session, journey)
        rows.append(
            {
                "key": journey.key, "name": journey.name, "state": journey.state.value,
                "version": live.no if live else None, "serves": journey.goal,
                **queries.totals(session, journey, SYSTEM), "fault": journey.fault,
            }
        )  # fmt: skip
    return {"count": len(rows), "journeys": rows}


@journeys.command("check")
@click.argument("file", type=FILE)
@reporting
def check(file: Path) -> dict[str, Any]:
    """Check a journey without publishing it; says how many people would enter now."""
    found = service.check(db.session(), read_file(file), name=file.name, at=clock.now())
    db.session.rollback()
    return {
        "key": found.document.journey, "steps": len(found.document.steps),
        "entering": found.entering, "more": found.more, "unchanged": found.unchanged,
        "inside": [asdict(place) for place in found.inside], "changes": list(found.changes),
    }  # fmt: skip


@journeys.command("publish")
@click.argument("file", type=FILE)
@click.option(
    "--inside",
    type=click.Choice([STAY, MOVE, STOP]),
    default=STAY,
    show_default=True,
    help="What becomes of those inside older versions.",
)
@click.option(
    "--dates",
    type=click.Choice(["keep", "new"]),
    default="keep",
    show_default=True,
    help="Whether those who move keep the day on which they go on.",
)
@click.option(
    "--removed",
    multiple=True,
    metavar="OLD=NEW",
    help="Where those at a step that is gone go; nothing after = lets them out.",
)
@reporting
def publish(file: Path, inside: Any, dates: Any, removed: tuple[str, ...]) -> dict[str, Any]:
    """Make a journey live for new people; an identical file makes no new version."""
    session = db.session()
    places = dict(part.partition("=")[::2] for part in removed)
    done = service.publish(
        session, read_file(file), name=file.name, by=SYSTEM, at=clock.now(),
        takeover=Takeover(inside, dates, places),
    )  # fmt: skip
    session.commit()
    return {
        "key": done.journey.key, "version": done.version.no, "created": done.created,
        "state": done.journey.state.value, "sha256": done.version.sha256,
    }  # fmt: skip


@journeys.command("export")
@click.argument("key")
@click.option("--version", "number", type=int, help="A version's number, instead of the live one.")
@click.option("--to", "target", type=FILE, help="Write to this file instead of stdout.")
@reporting
def export(key: str, number: int | None, target: Path | None) -> dict[str, Any] | None:
    """The YAML of a journey, exactly as it was published."""
    session = db.session()
    journey = queries.load_journey(session, key)
    versions = queries.versions_of(session, journey)
    wanted = number if number is not None else _live_number(journey)
    version = next((v for v in versions if v.no == wanted), None)
    if version is None:
        raise NotFound(f"The journey “{key}” has no version {wanted}.")
    if target is None and not click.get_current_context().params.get("as_json"):
        click.echo(version.source, nl=False)
        return None
    if target is not None:
        target.write_bytes(version.source.encode())
        say(f"Written to {target}.")
    return {"key": key, "version": version.no, "sha256": version.sha256, "source": version.source}


def _live_number(journey: Journey) -> int | None:
    live = queries.live_version(db.session(), journey)
    return live.no if live else None


def _acting(verb: Any, key: str) -> dict[str, Any]:
    session = db.session()
    journey = queries.load_journey(session, key, lock=True)
    verb(session, journey, by=SYSTEM, at=clock.now())
    session.commit()
    return {"key": key, "state": journey.state.value, **queries.totals(session, journey, SYSTEM)}


@journeys.command("diff")
@click.argument("key")
@click.argument("old", type=int)
@click.argument("new", type=int)
@reporting
def diff(key: str, old: int, new: int) -> dict[str, Any]:
    """What one version of a journey says otherwise than another, in sentences."""
    session = db.session()
    journey = queries.load_journey(session, key)
    before, after = (queries.load_version(session, journey, number) for number in (old, new))
    changes = differences(queries.document_of(before), queries.document_of(after))
    for line in changes:
        say(line)
    return {"key": key, "old": old, "new": new, "changes": changes}


@journeys.command("enter")
@click.argument("key")
@click.option("--id", "person", required=True, help="External id (system:value) or our own.")
@reporting
def enter(key: str, person: str) -> dict[str, Any]:
    """Let one person in by hand, past the entry query."""
    session = db.session()
    alumnus_id = resolve_person(session, person)
    journey = enter_by_hand(session, key, alumnus_id, by=SYSTEM, at=clock.now())
    session.commit()
    return {"key": journey.key, "id": alumnus_id}


@journeys.command("report")
@click.argument("key")
@reporting
def report(key: str) -> dict[str, Any]:
    """What a journey did, and what it changed against those kept aside."""
    session, at = db.session(), clock.now()
    journey = queries.load_journey(session, key)
    found = comparisons(session, journey, SYSTEM, at)
    return {
        "key": key, **queries.totals(session, journey, SYSTEM),
        "lift": {arm.value: asdict(one) for arm, one in found.items()},
    }  # fmt: skip


@journeys.command("pause")
@click.argument("key")
@reporting
def pause(key: str) -> dict[str, Any]:
    """Let nobody in and nobody on; everybody keeps their place."""
    return _acting(service.pause, key)


@journeys.command("resume")
@click.argument("key")
@reporting
def resume(key: str) -> dict[str, Any]:
    """Go on with a paused journey."""
    return _acting(service.resume, key)


@journeys.command("stop")
@click.argument("key")
@reporting
def stop(key: str) -> dict[str, Any]:
    """End a journey: the next tick lets everybody out."""
    return _acting(service.stop, key)
