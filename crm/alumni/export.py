"""People as a file: streamed, fit for a spreadsheet, without anybody who must not leave."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Row, Select, Text, case, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from crm.accounts import audit
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

BATCH = 1_000
# What a spreadsheet takes for the beginning of a formula, full-width forms included.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")


class Writable(Protocol):
    """Whatever text can be written to."""

    def write(self, text: str, /) -> object:
        """Take some text."""


def safe_cell(value: Any) -> str:
    """A value as text that no spreadsheet runs: what looks like a formula gets an apostrophe."""
    text = "" if value is None else str(value)
    if text.startswith(FORMULA) or text.lstrip(" '\u00a0\ufeff").startswith(FORMULA):
        return "'" + text
    return text


def lines(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV text."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[safe_cell(cell) for cell in row] for row in rows])
    return buffer.getvalue()


def _joined(column: Any, *conditions: Any) -> Any:
    """All values of a person in one cell."""
    together = func.string_agg(column, aggregate_order_by(literal("; "), column))
    return select(together).where(*conditions).correlate(Alumnus).scalar_subquery()


def _contact(kind: ContactKind, seen: ColumnElement[bool]) -> Any:
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
    return case((seen, best.correlate(Alumnus).scalar_subquery()), else_=None)


def export_statement(compiled: Compiled, viewer: Viewer) -> Select[Any]:
    """The rows of the file: a FERPA block never leaves the house, whoever asks."""
    seen = contact_visible(viewer)
    ids = ExternalId.system.concat(":").concat(ExternalId.value).cast(Text)
    schools = select(
        func.string_agg(School.name, aggregate_order_by(literal("; "), School.name))
    ).select_from(Schooling)
    schools = schools.join(School, School.id == Schooling.school_id)
    way = Interest.kind == InterestKind.WAY
    subject = Interest.kind == InterestKind.SUBJECT
    return (
        select(
            Alumnus.id.label("id"),
            _joined(ids, ExternalId.alumnus_id == Alumnus.id).label("external_ids"),
            Alumnus.given_name, Alumnus.middle_name, Alumnus.family_name, Alumnus.suffix,
            Alumnus.preferred_name, Alumnus.former_name, Alumnus.class_year,
            schools.where(Schooling.alumnus_id == Alumnus.id)
            .correlate(Alumnus).scalar_subquery().label("schools"),
            Alumnus.language, Alumnus.city, Alumnus.state, Alumnus.postal_code,
            Alumnus.job_title, Alumnus.employer, Alumnus.field_of_work, Alumnus.college,
            _joined(Interest.key, Interest.alumnus_id == Alumnus.id, way).label("ways"),
            _joined(Interest.key, Interest.alumnus_id == Alumnus.id, subject).label("subjects"),
            _contact(ContactKind.EMAIL, seen).label("email"),
            _contact(ContactKind.PHONE, seen).label("phone"),
            Alumnus.deceased, Alumnus.do_not_contact,
        )
        .where(compiled.condition, Alumnus.ferpa_block.is_(False))
        .order_by(Alumnus.sort_key, Alumnus.id)
    )  # fmt: skip


def export_rows(
    session: Session, compiled: Compiled, viewer: Viewer
) -> Iterator[Sequence[Row[Any]]]:
    """The rows in batches from a cursor on the server, so that a million take no memory."""
    statement = export_statement(compiled, viewer).execution_options(yield_per=BATCH)
    yield from session.execute(statement).partitions()


def note_export(
    session: Session, compiled: Compiled, viewer: Viewer, *, at: datetime, to: str
) -> None:
    """Write to the audit trail that this viewer takes these people with them."""
    audit.record(
        session, "people.exported", kind="query", key="people", by=viewer, at=at,
        query=compiled.text, to=to,
    )  # fmt: skip


def stream_people(session: Session, compiled: Compiled, viewer: Viewer) -> Iterator[str]:
    """The file piece by piece: a byte-order mark for spreadsheets, the heading, the people."""
    statement = export_statement(compiled, viewer)
    yield "\ufeff" + lines([[column.name for column in statement.selected_columns]])
    for batch in export_rows(session, compiled, viewer):
        yield lines(batch)


def write_people(
    session: Session, compiled: Compiled, viewer: Viewer, target: Writable, *, at: datetime
) -> int:
    """Write the file to `target` and note it; answers how many people are in it."""
    note_export(session, compiled, viewer, at=at, to="file")
    statement = export_statement(compiled, viewer)
    target.write(lines([[column.name for column in statement.selected_columns]]))
    written = 0
    for batch in export_rows(session, compiled, viewer):
        target.write(lines(batch))
        written += len(batch)
    return written
