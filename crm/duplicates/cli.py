"""`duplicates find`, `list`, `merge`, `unmerge`."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from crm.alumni.queries import resolve_person
from crm.core import clock
from crm.core.cli import reporting, say
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.duplicates import merging
from crm.duplicates.finding import THRESHOLD, find_duplicates
from crm.duplicates.learning import learnt
from crm.duplicates.queries import count_open, open_pairs

duplicates = AppGroup("duplicates", help="Records that may be one person.")
LIMIT = click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))


@duplicates.command("find")
@click.option(
    "--threshold", default=THRESHOLD, show_default=True, type=click.FloatRange(0.5, 0.999),
    help="The least probability that is proposed.",
)  # fmt: skip
@LIMIT
@reporting
def find(threshold: float, limit: int) -> dict[str, Any]:
    """Look through everybody for records that may be one person."""
    session = db.session()
    find_duplicates(session, at=clock.now(), threshold=threshold)
    session.commit()
    return _report(limit, threshold)


@duplicates.command("list")
@LIMIT
@reporting
def list_pairs(limit: int) -> dict[str, Any]:
    """The pairs that wait for somebody, the likeliest first."""
    return _report(limit, learnt(db.session()).threshold)


@duplicates.command("merge")
@click.argument("a")
@click.argument("b")
@reporting
def merge(a: str, b: str) -> dict[str, Any]:
    """Make B part of A; every row of B follows. People are named as with --id."""
    session = db.session()
    kept, gone = resolve_person(session, a), resolve_person(session, b)
    done = merging.merge(session, kept, gone, at=clock.now(), by=SYSTEM)
    session.commit()
    moved = {table: len(ids) for table, ids in done.moved.items()}
    return {"merge_id": done.id, "kept": kept, "gone": gone, "moved": moved}


@duplicates.command("unmerge")
@click.argument("merge_id", type=click.IntRange(1, 2**63 - 1))
@reporting
def unmerge(merge_id: int) -> dict[str, Any]:
    """Take a merge back exactly."""
    session = db.session()
    done = merging.unmerge(session, merge_id, at=clock.now(), by=SYSTEM)
    session.commit()
    warnings = merging.warnings(session, SYSTEM, done)
    for sentence in warnings:
        say(sentence)
    return {
        "merge_id": merge_id,
        "kept": done.kept_id,
        "restored": done.gone_id,
        "warnings": warnings,
    }


def _report(limit: int, threshold: float) -> dict[str, Any]:
    session = db.session()
    pairs = [
        {
            "a": pair.first_id, "b": pair.second_id, "probability": pair.probability,
            "reasons": pair.reasons,
        }
        for pair in open_pairs(session, limit=limit, threshold=threshold)
    ]  # fmt: skip
    return {"count": count_open(session, threshold), "pairs": pairs}
