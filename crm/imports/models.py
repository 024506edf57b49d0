"""An import from upload to summary, and the fate of each of its lines."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, guarded, identity


class ImportState(StrEnum):
    """How far an import has come."""

    UPLOADED = "uploaded"
    CHECKING = "checking"
    CHECKED = "checked"
    APPLYING = "applying"
    APPLIED = "applied"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REVERTED = "reverted"


class Fate(StrEnum):
    """What an import does, or did, with a line."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SKIP = "skip"
    CONFLICT = "conflict"
    REJECT = "reject"


class Phase(StrEnum):
    """What a check or an apply is doing, in this order."""

    READING = "reading"
    MATCHING = "matching"
    COMPARING = "comparing"
    WRITING = "writing"
    NOTING = "noting"


class CustomKind(StrEnum):
    """What the values of a custom field are; each is kept as text of one form."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    FLAG = "flag"


class ImportRun(Model):
    """One file brought in: its layout, mapping, totals by fate and progress."""

    __tablename__ = "import_run"
    __table_args__ = (Index(None, "created_at"),)

    id: Mapped[int] = identity()
    kind: Mapped[str]
    filename: Mapped[str]
    stored_as: Mapped[str | None]
    sha256: Mapped[str | None]
    layout: Mapped[str | None]
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    state: Mapped[ImportState] = mapped_column(Choice(ImportState))
    totals: Mapped[dict[str, int]] = mapped_column(JSONB, default=dict)
    lines_done: Mapped[int] = mapped_column(default=0)
    lines_total: Mapped[int | None]
    phase: Mapped[Phase | None] = mapped_column(Choice(Phase), default=None)
    error: Mapped[str | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    applied_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class ImportLine(Model):
    """One line of a file and its fate; `undone` is what became of it when the file was undone."""

    __tablename__ = "import_line"
    # Most lines of most files change nothing: those are found by their file alone.
    __table_args__ = (
        Index(
            "ix_import_line_told", "import_id", "fate", "line",
            postgresql_where=text("fate <> 'unchanged'"),
        ),
        Index(
            "ix_import_line_changed", "alumnus_id",
            postgresql_where=text("changes is not null"),
        ),
    )  # fmt: skip

    import_id: Mapped[int] = mapped_column(guarded("import_run.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    fate: Mapped[Fate] = mapped_column(Choice(Fate))
    reason: Mapped[str | None]
    external_id: Mapped[str | None]
    alumnus_id: Mapped[int | None] = mapped_column(BigInteger)
    changes: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    undone: Mapped[str | None]


class FileWord(Model):
    """What a file says of a field for which we hold something else: said again only if it changes.

    The word of the roster stays readable beside what the alumnus told us, and neither rubs out the
    other.
    """

    __tablename__ = "file_word"
    __table_args__ = (UniqueConstraint("alumnus_id", "field", "import_id"),)

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    field: Mapped[str]
    value: Mapped[str]
    import_id: Mapped[int] = mapped_column(ForeignKey("import_run.id"))
    line: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UTCDateTime())


class CustomField(Model):
    """A column of some file kept in `alumnus.custom`; `targeting` makes it a model's feature."""

    __tablename__ = "custom_field"

    key: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    kind: Mapped[CustomKind] = mapped_column(Choice(CustomKind), default=CustomKind.TEXT)
    targeting: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())


class RememberedFile(Model):
    """How the last applied file of these columns was read, so that its lines can be known again.

    `rules` is a digest of all that decides what a line means, besides the line and its person;
    `snapshot`, `xid` and `last_touch` say which touches of people the file has seen. See
    `crm.imports.people.remembering`.
    """

    __tablename__ = "remembered_file"
    __table_args__ = (UniqueConstraint("columns"),)

    id: Mapped[int] = identity()
    columns: Mapped[str]
    rules: Mapped[str]
    school_domains: Mapped[list[str]] = mapped_column(ARRAY(String))
    snapshot: Mapped[str]
    xid: Mapped[int] = mapped_column(BigInteger)
    last_touch: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UTCDateTime())


class RememberedLine(Model):
    """A line (its digest) that changes nothing of a person, unless they are touched meanwhile.

    `external_id` is the one that the line's fate tells.
    """

    __tablename__ = "remembered_line"

    alumnus_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    file_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[UUID]
    external_id: Mapped[str | None]


class PersonTouch(Model):
    """A note, by trigger, that a transaction changed what files are compared with of a person."""

    __tablename__ = "person_touch"

    alumnus_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = identity()
    xid: Mapped[int] = mapped_column(
        BigInteger, server_default=text("(pg_current_xact_id()::text)::bigint")
    )


class ImportMapping(Model):
    """How files of one sender are read: known again by their column names.

    `fingerprint` is made of the names of the columns, `directions` is what a mapping file says.
    """

    __tablename__ = "import_mapping"
    __table_args__ = (UniqueConstraint("fingerprint", "name"),)

    id: Mapped[int] = identity()
    name: Mapped[str]
    fingerprint: Mapped[str]
    header: Mapped[list[str]] = mapped_column(JSONB)
    layout: Mapped[str]
    directions: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    used_at: Mapped[datetime] = mapped_column(UTCDateTime())
