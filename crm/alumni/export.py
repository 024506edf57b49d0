"""People as rows of a file: fit for a spreadsheet, without anybody who must not leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, Select, Text, case, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.looks import note_looks
from crm.alumni.access import contact_visible
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactStatus,
    ExternalId,
    Interest,
    InterestKind,
    Schooling,
)
from crm.core.viewer import Viewer
from crm.query import Compiled
from crm.schools.models import School
from crm.web.cells import lines, safe_cell

# These stood here before; other areas may still ask for them by this name.
__all__ = ["lines", "safe_cell"]
BATCH = 1_000
Build = Callable[[ColumnElement[bool]], Any]


class Writable(Protocol):
    """Whatever text can be written to."""

    def write(self, text: str, /) -> object:
        """Take some text."""


def _joined(column: Any, *conditions: Any) -> Any:
    """All values of a person in one cell."""
    together = func.string_agg(column, aggregate_order_by(literal("; "), column))
    return select(together).where(*conditions).correlate(Alumnus).scalar_subquery()


def _contact(kind: ContactKind) -> Build:
    """The address to use, if the viewer may see it."""
    best = (
        select(ContactPoint.value)
        .where(
            ContactPoint.alumnus_id == Alumnus.id, ContactPoint.kind == kind,
            ContactPoint.owner == ContactOwner.OWN, ContactPoint.status == ContactStatus.OK,
        )
        .order_by(ContactPoint.preferred.desc(), ContactPoint.id)
        .limit(1)
    )  # fmt: skip
    found = best.correlate(Alumnus).scalar_subquery()
    return lambda seen: case((seen, found), else_=None)


def _interests(kind: InterestKind) -> Build:
    together = _joined(Interest.key, Interest.alumnus_id == Alumnus.id, Interest.kind == kind)
    return lambda seen: together


def _external_ids(seen: ColumnElement[bool]) -> Any:
    ids = ExternalId.system.concat(":").concat(ExternalId.value).cast(Text)
    return _joined(ids, ExternalId.alumnus_id == Alumnus.id)


def _schools(seen: ColumnElement[bool]) -> Any:
    names = func.string_agg(School.name, aggregate_order_by(literal("; "), School.name))
    attended = select(names).join_from(Schooling, School, School.id == Schooling.school_id)
    return attended.where(Schooling.alumnus_id == Alumnus.id).correlate(Alumnus).scalar_subquery()


def _own(column: Any) -> Build:
    return lambda seen: column


CONTACT_COLUMNS = ("email", "phone", "postal")
COLUMNS: Mapping[str, Build] = {
    "id": _own(Alumnus.id.cast(Text)),
    "external_ids": _external_ids,
    **{
        name: _own(getattr(Alumnus, name))
        for name in (
            "given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name",
            "class_year",
        )
    },
    "schools": _schools,
    **{
        name: _own(getattr(Alumnus, name))
        for name in (
            "language", "city", "state", "postal_code", "job_title", "employer", "field_of_work",
            "college",
        )
    },
    "ways": _interests(InterestKind.WAY),
    "subjects": _interests(InterestKind.SUBJECT),
    "email": _contact(ContactKind.EMAIL),
    "phone": _contact(ContactKind.PHONE),
    "postal": _contact(ContactKind.POSTAL),
    "deceased": _own(Alumnus.deceased),
    "do_not_contact": _own(Alumnus.do_not_contact),
}  # fmt: skip
"""Every column that a file of people may have, given the condition of whose addresses one sees."""
DEFAULT = tuple(key for key in COLUMNS if key != "postal")
CUSTOM = "custom."


def column_of(key: str) -> Build:
    """The column of that key; a custom field is `custom.NAME`."""
    if key.startswith(CUSTOM):
        return _own(Alumnus.custom[key.removeprefix(CUSTOM)].astext)
    return COLUMNS[key]


def export_statement(
    compiled: Compiled, viewer: Viewer, keys: Sequence[str] = DEFAULT
) -> Select[Any]:
    """The rows of the file: a FERPA block never leaves the house, whoever asks."""
    seen = contact_visible(viewer)
    return (
        select(*(column_of(key)(seen).label(key) for key in keys))
        .where(compiled.condition, Alumnus.ferpa_block.is_(False))
        .order_by(Alumnus.sort_key, Alumnus.id)
    )


def export_rows(session: Session, statement: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    """The rows in batches from a cursor on the server, so that a million take no memory."""
    yield from session.execute(statement.execution_options(yield_per=BATCH)).partitions()


def note_export(
    session: Session, compiled: Compiled, viewer: Viewer, *, at: datetime, **facts: Any
) -> None:
    """Write to the audit trail that this viewer takes these people with them."""
    audit.record(
        session, "people.exported", kind="query", key="people", by=viewer, at=at,
        query=compiled.text, **facts,
    )  # fmt: skip
    shown = select(Alumnus.id).where(
        compiled.condition, Alumnus.ferpa_block.is_(False), contact_visible(viewer)
    )
    note_looks(session, "export", shown, by=viewer, at=at)


def stream_people(session: Session, compiled: Compiled, viewer: Viewer) -> Iterator[str]:
    """The file piece by piece: a byte-order mark for spreadsheets, the heading, the people."""
    yield "\ufeff" + lines([DEFAULT])
    for batch in export_rows(session, export_statement(compiled, viewer)):
        yield lines(batch)


def write_people(
    session: Session, compiled: Compiled, viewer: Viewer, target: Writable, *, at: datetime
) -> int:
    """Write the file to `target` and note it; answers how many people are in it."""
    target.write(lines([DEFAULT]))
    written = 0
    for batch in export_rows(session, export_statement(compiled, viewer)):
        target.write(lines(batch))
        written += len(batch)
    note_export(session, compiled, viewer, at=at, to="file", people=written, columns=list(DEFAULT))
    return written
