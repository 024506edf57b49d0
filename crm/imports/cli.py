"""The commands that bring files in: `schools`, `people` and `interactions import`, `imports list`.

Exit 1 when a file is refused as a whole, or when every one of its lines was rejected; lines that
were rejected among good ones are listed on stderr and counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from crm.core import clock
from crm.core.cli import progress, reporting, say
from crm.core.database import db
from crm.core.errors import Refused
from crm.core.viewer import SYSTEM
from crm.imports.interactions import import_interactions
from crm.imports.layout import may_refuse
from crm.imports.layouts import LAYOUTS
from crm.imports.mapping import Directions, read_mapping
from crm.imports.models import Fate, ImportRun
from crm.imports.queries import load_run, recent_runs, told_lines, undone_lines
from crm.imports.schools import import_schools
from crm.imports.service import import_people
from crm.imports.undoing import undo_import

SHOWN = 20
FILE = click.argument("path", metavar="FILE", type=click.Path(path_type=Path))

schools = AppGroup("schools", help="The district's schools and clusters.")
interactions = AppGroup("interactions", help="What happened between us and alumni.")
imports = AppGroup("imports", help="Files brought in.")


@schools.command("import")
@FILE
@reporting
def schools_import(path: Path) -> dict[str, Any]:
    """Create and update clusters and schools from an NCES-style FILE."""
    report = import_schools(db.session(), path, at=clock.now(), by=SYSTEM)
    db.session.commit()
    for problem in report.problems[:SHOWN]:
        say(str(problem))
    return {
        "import_id": report.import_id, "created": report.created, "updated": report.updated,
        "unchanged": report.unchanged, "rejected": report.rejected,
    }  # fmt: skip


@click.command("import")
@FILE
@click.option(
    "--layout", default="auto", show_default=True, type=click.Choice(["auto", *LAYOUTS]),
    help="What kind of file it is.",
)  # fmt: skip
@click.option("--mapping", type=click.Path(path_type=Path), help="JSON or YAML: column → target.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and change nothing.")
@click.option(
    "--up-to-break", is_flag=True, help="Take a file that breaks off up to its last good line.",
)  # fmt: skip
@reporting
def people_import(
    path: Path, layout: str, mapping: Path | None, dry_run: bool, up_to_break: bool
) -> dict[str, Any]:
    """Create and update alumni from a roster FILE (.csv, .tsv, .txt or .xlsx)."""
    directions = read_mapping(mapping) if mapping else Directions()
    session = db.session()
    with progress("reading lines") as advance:
        run = import_people(
            session, path, layout=layout, directions=directions, dry_run=dry_run, at=clock.now(),
            by=SYSTEM, progress=advance, up_to_break=up_to_break,
        )  # fmt: skip
    report = _people_report(run)
    if fields := run.mapping.get("fields"):
        report["fields"] = fields
    if cut := run.mapping.get("cut"):
        report["cut"] = cut
        say(f"read only as far as the file is whole: {cut['why']}")
    problems = [
        f"{path.name}:{line.line}: {line.reason}"
        for line in told_lines(session, run.id, (Fate.REJECT, Fate.CONFLICT), limit=SHOWN)
    ]
    if report["rejected"] and report["rejected"] == sum(run.totals.values()):
        raise Refused([*problems, f"{path.name}: every line was rejected; nothing was changed"])
    session.commit()
    for problem in problems:
        say(problem)
    _say_unread(run)
    return report


def _people_report(run: ImportRun) -> dict[str, Any]:
    totals = run.totals
    return {
        "import_id": run.id, "layout": run.layout, "created": totals[Fate.CREATE],
        "updated": totals[Fate.UPDATE], "unchanged": totals[Fate.UNCHANGED],
        "skipped": totals[Fate.SKIP], "conflicts": totals[Fate.CONFLICT],
        "rejected": totals[Fate.REJECT],
    }  # fmt: skip


def _say_unread(run: ImportRun) -> None:
    """Name the columns that nobody read, so that none is dropped silently."""
    columns = run.mapping["columns"]
    unknown = [c["title"] or "(no name)" for c in columns if c["how"] == "unknown"]
    never = [c["title"] for c in columns if c["how"] == "not_read"]
    for label, titles in (
        (
            "columns that may say who wants no mail, and nobody reads them",
            list(filter(may_refuse, unknown)),
        ),
        (
            "columns we do not know (map them, or they are left out)",
            [title for title in unknown if not may_refuse(title)],
        ),
        ("columns that are never read", never),
    ):
        if titles:
            say(f"{label}: {', '.join(titles)}")
    for school, lines in list(run.mapping.get("unknown_schools", {}).items())[:SHOWN]:
        say(f"no school is called “{school}” ({lines:,} lines): their school stays unknown")


@interactions.command("import")
@FILE
@reporting
def interactions_import(path: Path) -> dict[str, Any]:
    """Record the interactions of a FILE with columns person_id, occurred_at, kind, mode …"""
    session = db.session()
    with progress("reading lines") as advance:
        run = import_interactions(session, path, at=clock.now(), by=SYSTEM, progress=advance)
    problems = [
        f"{path.name}:{line.line}: {line.reason}"
        for line in told_lines(session, run.id, (Fate.REJECT,), limit=SHOWN)
    ]
    if run.totals["rejected"] and run.totals["rejected"] == run.lines_total:
        raise Refused([*problems, f"{path.name}: every line was rejected; nothing was changed"])
    session.commit()
    for problem in problems:
        say(problem)
    return {"import_id": run.id, **run.totals}


@imports.command("undo")
@click.argument("import_id", type=click.IntRange(1, 2**63 - 1))
@reporting
def imports_undo(import_id: int) -> dict[str, Any]:
    """Take back what an import did; what changed since stays, and `imports lines` names it."""
    session = db.session()
    run = load_run(session, import_id, lock=True)
    done = undo_import(session, run, at=clock.now(), by=SYSTEM)
    stayed = undone_lines(session, run.id, limit=SHOWN)
    session.commit()
    for line in stayed:
        say(f"{run.filename}:{line.line}: {line.undone}")
    reverted = done["removed"] + done["restored"]
    return {"import_id": import_id, "reverted": reverted, **done, "state": run.state.value}


@imports.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@reporting
def imports_list(limit: int) -> dict[str, Any]:
    """The latest imports with their totals."""
    runs = recent_runs(db.session(), limit=limit)
    return {
        "imports": [
            {
                "id": run.id, "kind": run.kind, "file": run.filename, "layout": run.layout,
                "state": run.state.value, "at": run.created_at.isoformat(timespec="minutes"),
                "totals": {key: n for key, n in run.totals.items() if n},
            }
            for run in runs
        ]
    }  # fmt: skip
