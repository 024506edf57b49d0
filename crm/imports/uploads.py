"""Uploaded files, kept under a random name until they are applied."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from flask import current_app
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Conflict, Invalid, Refused
from crm.core.viewer import Viewer
from crm.imports.broken import Breaks
from crm.imports.bundle import USERS, Part, is_bundle, unpack
from crm.imports.decoding import TextFile
from crm.imports.layouts import FRAMES
from crm.imports.mapping import Directions, Plan, mapping_from, plan_for
from crm.imports.models import ImportRun, ImportState
from crm.imports.reader import TEXT_NAMES, Table, open_table
from crm.imports.service import PEOPLE, digest, start_run
from crm.imports.values import clean

CHUNK = 1024 * 1024
SAMPLE = 5
OPEN = frozenset({ImportState.UPLOADED, ImportState.CHECKED, ImportState.FAILED})


def folder() -> Path:
    """Where uploads of this installation are kept."""
    return Path(current_app.instance_path) / "uploads"


def store_upload(stream: BinaryIO, filename: str, *, wanted: str = USERS) -> Part:
    """Keep an upload under a random name; of a zip only the part that is wanted is kept."""
    shown = clean(Path(filename.replace("\\", "/")).name)[-200:]
    ending = Path(shown).suffix.lower()
    if ending not in (*TEXT_NAMES, ".xlsx", ".zip"):
        names = ", ".join((*TEXT_NAMES, ".xlsx"))
        raise Invalid("Bring a file that ends in %(names)s or .zip.", field="file", names=names)
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder() / f"{secrets.token_hex(16)}{ending}"
    with path.open("xb") as handle:
        path.chmod(0o600)
        while chunk := stream.read(CHUNK):
            handle.write(chunk)
    if not is_bundle(path):
        return Part(path, shown)
    part = path.with_suffix(".csv")
    try:
        return unpack(path, shown, part, wanted)
    except Refused:
        part.unlink(missing_ok=True)
        raise
    finally:
        path.unlink(missing_ok=True)


def start_upload(session: Session, part: Part, *, by: Viewer, at: datetime) -> ImportRun:
    """A new import of a stored file of people; raises `Refused` if it is no table of people."""
    path = part.path
    table = open_table(path, part.name)
    plan = plan_for(table, "auto", Directions(orgs=part.orgs))
    run = start_run(session, PEOPLE, part.name, at=at, by=by)
    run.stored_as, run.sha256, run.layout = path.name, digest(path), plan.layout.key
    run.lines_total = max(0, table.lines - table.header_line) or None
    run.mapping = {
        "file": {
            "header": list(table.header), "header_line": table.header_line, "lines": table.lines,
            "encoding": table.encoding, "delimiter": table.delimiter,
            "plain": bool(table.text and table.text.plain),
            "unended": bool(table.text and table.text.unended),
            "frame": table.frame.opens if table.frame else "",
        },
        "asked": Directions().as_json(), "orgs": part.orgs, **plan.as_json(),
    }  # fmt: skip
    audit.record(
        session, "import.uploaded", kind="import", key=run.id, by=by, at=at, filename=run.filename
    )
    session.flush()
    return run


def reopen(run: ImportRun) -> Table:
    """The stored file again, without looking through it a second time."""
    path = folder() / (run.stored_as or "")
    facts = run.mapping.get("file")
    if run.stored_as is None or facts is None or not path.is_file():
        raise Conflict("The file of this import is no longer here. Upload it again.")
    encoding = facts["encoding"]
    flags = {name: facts.get(name, False) for name in ("plain", "unended")}
    text = None if encoding == "xlsx" else TextFile(path, encoding, facts["lines"], **flags)
    return Table(
        run.filename, tuple(facts["header"]), facts["header_line"], encoding, facts["delimiter"],
        facts["lines"], path, text, frame=FRAMES.get(facts.get("frame", "")),
        breaks=Breaks() if run.mapping.get("partial") else None,
    )  # fmt: skip


def plan_of(run: ImportRun, table: Table) -> Plan:
    """How the file will be read, as chosen so far."""
    return plan_for(table, run.layout or "auto", asked_of(run))


def asked_of(run: ImportRun) -> Directions:
    """What the reader of the file asked for so far."""
    asked = mapping_from(run.mapping.get("asked") or {"columns": {}, "values": {}})
    return replace(asked, orgs=run.mapping.get("orgs", {}))


def sample_of(table: Table) -> list[list[str]]:
    """The first rows of the file, for the page that shows the mapping."""
    batch = next(table.batches(SAMPLE), None)
    return [[clean(cell)[:80] for cell in row] for row in batch.rows] if batch else []


def choose(session: Session, run: ImportRun, *, layout: str, directions: Directions) -> None:
    """Keep another layout and mapping; what a check found with the old one no longer holds."""
    if run.state not in OPEN:
        raise Conflict("This import can no longer be changed.")
    plan = plan_for(reopen(run), layout, directions)
    run.layout = plan.layout.key
    kept: dict[str, Any] = {
        k: run.mapping[k] for k in ("file", "orgs", "partial") if k in run.mapping
    }
    run.mapping = {**kept, "asked": directions.as_json(), **plan.as_json()}
    run.state, run.totals, run.error = ImportState.UPLOADED, {}, None
    session.flush()


def take_partly(session: Session, run: ImportRun, *, by: Viewer, at: datetime) -> None:
    """Read a file that breaks off up to its last good line, because its reader chose so."""
    if run.state is not ImportState.FAILED or "broken" not in run.mapping:
        raise Conflict("Only a file that breaks off can be read in part.")
    kept = {key: value for key, value in run.mapping.items() if key not in {"broken", "cut"}}
    run.mapping = {**kept, "partial": True}
    audit.record(
        session, "import.partial", kind="import", key=run.id, by=by, at=at, why=run.error or ""
    )
    session.flush()


def forget_file(run: ImportRun) -> None:
    """Delete the stored file; a roster is not kept longer than it is needed."""
    if run.stored_as:
        (folder() / run.stored_as).unlink(missing_ok=True)


def cancel(session: Session, run: ImportRun, *, by: Viewer, at: datetime) -> None:
    """Give an import up before it is applied."""
    if run.state not in OPEN:
        raise Conflict("This import can no longer be cancelled.")
    run.state = ImportState.CANCELLED
    audit.record(session, "import.cancelled", kind="import", key=run.id, by=by, at=at)
    session.flush()
