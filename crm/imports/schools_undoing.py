"""Undoes a file of schools: what it made goes if nothing refers to it, others get their facts back.

A district has few schools, so that they are taken one by one, the last line first.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import delete, select, union
from sqlalchemy.orm import Session

from crm.core.database import among, db
from crm.core.errors import Conflict
from crm.imports.models import Fate, ImportLine, ImportRun
from crm.imports.people.undoing import BACK
from crm.schools.models import Cluster, School, SchoolAlias, SchoolChange, SchoolLevel, SchoolStatus

SCHOOLS = "schools"
KINDS = {"status": SchoolStatus, "level": SchoolLevel}
IN_USE = "stays: something refers to this school since"
SINCE = "stays: changed since: {fields}"
OWN = {"school_alias"}
"""Tables whose rows go with the school."""


def undo_schools(session: Session, run: ImportRun) -> dict[str, int]:
    """Take back what a file of schools did; answers `removed`, `restored` and `kept`, in lines."""
    lines = session.scalars(
        select(ImportLine)
        .where(ImportLine.import_id == run.id, ImportLine.fate.in_([Fate.CREATE, Fate.UPDATE]))
        .order_by(ImportLine.line.desc())
    ).all()
    if any(line.changes is None for line in lines):
        raise Conflict("What the lines of this file said is no longer kept.")
    made = {_made(line)["school"] for line in lines if line.fate is Fate.CREATE}
    gone = made - _referred(session, School, made, but=OWN)
    for line in lines:
        if line.fate is Fate.CREATE:
            line.undone = BACK if _made(line)["school"] in gone else IN_USE
        elif _made(line)["school"] in gone:
            line.undone = BACK
        else:
            stays = _restore(session, line)
            line.undone = SINCE.format(fields=", ".join(stays)) if stays else BACK
    session.flush()
    session.execute(delete(SchoolAlias).where(among(SchoolAlias.school_id, gone)))
    session.execute(delete(School).where(among(School.id, gone)))
    _drop_clusters(session, {_made(line)["cluster"] for line in lines} - {None})
    fates = [(line.fate, line.undone == BACK) for line in lines]
    return {
        "removed": fates.count((Fate.CREATE, True)), "restored": fates.count((Fate.UPDATE, True)),
        "kept": sum(not back for _fate, back in fates),
    }  # fmt: skip


def _made(line: ImportLine) -> dict[str, Any]:
    found: dict[str, Any] = (line.changes or {})["made"]
    return found


def _restore(session: Session, line: ImportLine) -> list[str]:
    """Give a school back each fact that still is the file's; answers the fields that stay."""
    made = _made(line)
    fields = {**(line.changes or {})["fields"], **made["moved"]}
    fields.pop("cluster", None)
    school = session.get_one(School, made["school"], with_for_update=True)
    stays = [name for name, (_, after) in fields.items() if getattr(school, name) != after]
    for name, (before, _) in fields.items():
        if name not in stays:
            setattr(school, name, KINDS[name](before) if name in KINDS and before else before)
    notes = select(SchoolChange).where(among(SchoolChange.id, made["notes"]))
    for note in session.scalars(notes):
        field = {"renamed": "name", "moved": "cluster_id"}.get(note.kind.value, "status")
        if field not in stays:
            session.delete(note)
    session.execute(delete(SchoolAlias).where(among(SchoolAlias.id, made["aliases"])))
    session.flush()
    return stays


def _drop_clusters(session: Session, ids: set[int]) -> None:
    """Delete the clusters that the file made and that nothing belongs to any more."""
    session.execute(
        delete(Cluster).where(among(Cluster.id, ids - _referred(session, Cluster, ids)))
    )


def _referred(
    session: Session, model: Any, ids: Collection[int], but: Collection[str] = ()
) -> set[int]:
    """Those of these rows that some row of any table refers to."""
    name = model.__tablename__
    columns = [
        key.parent
        for table in db.metadata.sorted_tables
        if table.name not in but
        for key in table.foreign_keys
        if key.column.table.name == name
    ]
    return set(session.scalars(union(*(select(c).where(among(c, ids)) for c in columns))))
