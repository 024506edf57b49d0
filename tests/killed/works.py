"""The kinds of work that workers are killed at: a fresh piece of it, and whether one is whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from typing import Any

from sqlalchemy import func, select, text

from crm.accounts.access import viewer_for
from crm.accounts.models import AuditEntry, User
from crm.alumni.models import Interest, InterestKind
from crm.bulk import background as bulk
from crm.bulk import service as changes
from crm.bulk.models import BulkLine, BulkRun, BulkState, Fate
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.exports import making
from crm.exports import service as exports
from crm.exports.models import ExportPerson, ExportRun, ExportState, Format
from crm.imports import uploads
from crm.imports.models import ImportLine, ImportRun, ImportState
from tests.factories import Make

PEOPLE = 150
MEANT = "class:1981"
files = count(1981)


@dataclass(frozen=True)
class Work:
    """One kind: `fresh` asks for a piece and answers its id, `faults` says what is half done.

    `faults(id, finished)`: a piece is as it was or done; once a worker finished it, done.
    """

    name: str
    job: Callable[[int], tuple[str, dict[str, Any]]]
    fresh: Callable[[], int]
    faults: Callable[[int, bool], list[str]]
    folder: str = ""
    tidy: str = ""
    needed: Callable[[], set[str]] = set


def entries(action: str, key: int) -> int:
    """How often the audit trail says so."""
    mine = AuditEntry.action == action, AuditEntry.object_id == str(key)
    return db.session.scalar(select(func.count()).where(*mine)) or 0


def user() -> User:
    """The account that asks for everything."""
    found = db.session.scalars(select(User).limit(1)).first()
    return found or Make(db.session(), clock.now()).user()


def fresh_import() -> int:
    """A file of people whom nobody knows, asked to be applied; the first one's are of 1981."""
    session, year = db.session(), next(files)
    lines = "".join(f"{year}-{n},Ada{n},Mensah,{year}\n" for n in range(PEOPLE))
    body = BytesIO(f"Student ID,First Name,Last Name,Class Year\n{lines}".encode())
    part = uploads.store_upload(body, f"{year}.csv")
    run = uploads.start_upload(session, part, by=SYSTEM, at=clock.now())
    run.state = ImportState.APPLYING
    session.commit()
    return run.id


def import_faults(piece: int, finished: bool) -> list[str]:
    """Whether a file is applied as a whole, or not at all."""
    run = db.session.get_one(ImportRun, piece)
    year = run.filename.removesuffix(".csv")
    people = db.session.scalar(
        text("select count(*) from external_id where value like :mine"), {"mine": f"{year}-%"}
    )
    lines = db.session.scalar(select(func.count()).where(ImportLine.import_id == piece))
    found = (run.state, people, lines, entries("import.applied", piece))
    allowed = [(ImportState.APPLIED, PEOPLE, PEOPLE, 1)]
    if not finished:
        allowed.append((ImportState.APPLYING, 0, 0, 0))
        if run.state is ImportState.APPLYING and not (uploads.folder() / run.stored_as).exists():  # type: ignore[operator]
            return ["the file of an import that is not applied is gone"]
    return [] if found in allowed else [f"the file is half applied: {found}"]


def fresh_change() -> int:
    """A way to help for everybody of 1981, looked at and asked to be applied."""
    session, at = db.session(), clock.now()
    viewer = viewer_for(session, user())
    options = {"key": "mentor", "doing": "set"}
    run = changes.ask(
        session, viewer, action="way", options=options, query=MEANT, chosen=None, at=at
    )
    session.commit()
    bulk.work(run.id)
    changes.apply(session, run, by=viewer, at=clock.now())
    session.commit()
    return run.id


def change_faults(piece: int, finished: bool) -> list[str]:
    """Whether everybody whose line says so has the way once; afterwards everybody of the set."""
    run, fate = db.session.get_one(BulkRun, piece), BulkLine.fate == Fate.DONE
    mine = Interest.kind == InterestKind.WAY, Interest.key == "mentor"
    done = set(
        db.session.scalars(select(BulkLine.alumnus_id).where(BulkLine.run_id == piece, fate))
    )
    have = list(db.session.scalars(select(Interest.alumnus_id).where(*mine)))
    wrong = [] if sorted(have) == sorted(done) else [f"{len(done)} lines, {len(have)} people"]
    undone = run.state in {BulkState.UNDOING, BulkState.UNDONE}
    ends = BulkState.UNDONE if undone else BulkState.APPLIED
    if finished:
        told = entries(f"bulk.{ends.value}", piece)
        end = (run.state, len(done), told) == (ends, 0 if undone else PEOPLE, 1)
        wrong += [] if end else [f"it ends {run.state} with {len(done)} done, told {told} times"]
    return wrong


def fresh_undoing() -> int:
    """An applied change that is to be taken back: the one that stands."""
    session = db.session()
    standing = select(BulkRun.id).where(BulkRun.state == BulkState.APPLIED)
    piece = session.scalar(standing.order_by(BulkRun.id.desc()).limit(1))
    if piece is None:
        piece = fresh_change()
        bulk.work(piece)
    run = session.get_one(BulkRun, piece)
    changes.undo(session, run, by=viewer_for(session, user()), at=clock.now())
    session.commit()
    return piece


def fresh_change_alone() -> int:
    """A change while no other stands, so that every way that people have is its own."""
    while db.session.scalar(select(BulkRun.id).where(BulkRun.state == BulkState.APPLIED)):
        bulk.work(fresh_undoing())
    return fresh_change()


def fresh_export() -> int:
    """A file of everybody of 1981, to be made."""
    session = db.session()
    viewer = viewer_for(session, user())
    run = exports.ask(
        session, viewer, MEANT, columns=["id", "given_name", "city"], kind=Format.CSV, reason="",
        at=clock.now(),
    )  # fmt: skip
    session.commit()
    return run.id


def export_faults(piece: int, finished: bool) -> list[str]:
    """Whether there is one whole file with everybody once, or none."""
    run = db.session.get_one(ExportRun, piece)
    people = db.session.scalar(select(func.count()).where(ExportPerson.export_id == piece))
    told = entries("export.made", piece)
    if run.state is ExportState.MAKING and not finished:
        return [] if (people, told, run.stored_as) == (0, 0, None) else ["it is half made"]
    if run.state is not ExportState.READY or run.stored_as is None:
        return [f"it is {run.state} with {run.stored_as}"]
    lines = (making.folder() / run.stored_as).read_text("utf-8-sig").splitlines()
    found = (people, told, len(lines), len(set(lines)), run.people)
    whole = (PEOPLE, 1, PEOPLE + 1, PEOPLE + 1, PEOPLE)
    return [] if found == whole else [f"its file is not whole: {found}"]


def ready_files() -> set[str]:
    """The files that somebody may fetch."""
    ready = select(ExportRun.stored_as).where(ExportRun.state == ExportState.READY)
    return {name for name in db.session.scalars(ready) if name}


WORKS = (
    Work(
        "import", lambda piece: ("imports.work", {"import_id": piece, "user_id": None}),
        fresh_import, import_faults, "uploads", "imports.tidy",
    ),
    Work("change", lambda piece: (changes.JOB, {"run_id": piece}), fresh_change_alone,
         change_faults),
    Work("undoing", lambda piece: (changes.JOB, {"run_id": piece}), fresh_undoing, change_faults),
    Work(
        "export", lambda piece: (exports.JOB, {"export_id": piece}), fresh_export, export_faults,
        "exports", "exports.tidy", ready_files,
    ),
)  # fmt: skip
