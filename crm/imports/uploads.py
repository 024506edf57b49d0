"""Uploaded files, kept under a random name until they are applied."""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from flask import current_app
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import Viewer
from crm.imports.decoding import TextFile
from crm.imports.mapping import Directions, Plan, mapping_from, plan_for
from crm.imports.models import ImportRun, ImportState
from crm.imports.reader import TEXT_NAMES, Table, open_table
from crm.imports.service import PEOPLE, digest, start_run
from crm.imports.values import clean

CHUNK = 1024 * 1024
SAMPLE = 5


def folder() -> Path:
    """Where uploads of this installation are kept."""
    return Path(current_app.instance_path) / "uploads"


def store_upload(stream: BinaryIO, filename: str) -> tuple[Path, str]:
    """Keep an upload under a random name; answers where, and the name to show."""
    shown = clean(Path(filename.replace("\\", "/")).name)[-200:]
    ending = Path(shown).suffix.lower()
    if ending not in (*TEXT_NAMES, ".xlsx"):
        raise Invalid(f"Bring a file that ends in {', '.join(TEXT_NAMES)} or .xlsx.", field="file")
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder() / f"{secrets.token_hex(16)}{ending}"
    with path.open("xb") as handle:
        path.chmod(0o600)
        while chunk := stream.read(CHUNK):
            handle.write(chunk)
    return path, shown


def start_upload(
    session: Session, path: Path, filename: str, *, by: Viewer, at: datetime
) -> ImportRun:
    """A new import of a stored file of people; raises `Refused` if it is no table of people."""
    table = open_table(path, filename)
    plan = plan_for(table, "auto", Directions())
    run = start_run(session, PEOPLE, filename, at=at, by=by)
    run.stored_as, run.sha256, run.layout = path.name, digest(path), plan.layout.key
    run.lines_total = max(0, table.lines - table.header_line) or None
    run.mapping = {
        "file": {
            "header": list(table.header), "header_line": table.header_line, "lines": table.lines,
            "encoding": table.encoding, "delimiter": table.delimiter,
        },
        "directions": {}, **plan.as_json(),
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
    text = None if encoding == "xlsx" else TextFile(path, encoding, facts["lines"])
    return Table(
        run.filename, tuple(facts["header"]), facts["header_line"], encoding, facts["delimiter"],
        facts["lines"], path, text,
    )  # fmt: skip


def plan_of(run: ImportRun, table: Table) -> Plan:
    """How the file will be read, as chosen so far."""
    directions = mapping_from({"columns": run.mapping.get("directions", {})})
    return plan_for(table, run.layout or "auto", directions)


def sample_of(table: Table) -> list[list[str]]:
    """The first rows of the file, for the page that shows the mapping."""
    batch = next(table.batches(SAMPLE), None)
    return [[clean(cell)[:80] for cell in row] for row in batch.rows] if batch else []


def choose(session: Session, run: ImportRun, *, layout: str, directions: dict[str, str]) -> None:
    """Keep another layout and mapping; what a check found with the old one no longer holds."""
    if run.state not in {ImportState.UPLOADED, ImportState.CHECKED, ImportState.FAILED}:
        raise Conflict("This import can no longer be changed.")
    plan = plan_for(reopen(run), layout, mapping_from({"columns": directions}))
    run.layout = plan.layout.key
    run.mapping = {"file": run.mapping["file"], "directions": directions, **plan.as_json()}
    run.state, run.totals, run.error = ImportState.UPLOADED, {}, None
    session.flush()


def forget_file(run: ImportRun) -> None:
    """Delete the stored file; a roster is not kept longer than it is needed."""
    if run.stored_as:
        (folder() / run.stored_as).unlink(missing_ok=True)


def cancel(session: Session, run: ImportRun, *, by: Viewer, at: datetime) -> None:
    """Give an import up before it is applied."""
    if run.state not in {ImportState.UPLOADED, ImportState.CHECKED, ImportState.FAILED}:
        raise Conflict("This import can no longer be cancelled.")
    run.state = ImportState.CANCELLED
    audit.record(session, "import.cancelled", kind="import", key=run.id, by=by, at=at)
    session.flush()
