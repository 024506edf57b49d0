"""Everything about one person: for machines as JSON, for people as a page to read and print."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from flask import render_template
from flask_babel import force_locale, format_date
from flask_babel import gettext as _
from sqlalchemy import Table, select, text
from sqlalchemy.orm import Session

from crm.alumni.everything import everything_about, plain
from crm.core.database import db
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.rights.words import COLUMNS, TABLES
from crm.web.i18n import moment_words, text_direction
from crm.web.moments import spoken

MINE = "select cast(:id as bigint) union select id from alumnus where merged_into_id = :id"
SECRET = frozenset({"code_hash", "token_hash", "body", "batch_id", "dedupe_key", "merge", "html"})
"""Columns that hold the program's own secrets and workings, and the body of files."""
WORKINGS = frozenset(
    {
        "address_key", "alumnus_id", "anchor_at", "attempt", "attempts", "by", "checked_in_by",
        "chosen_by", "claimed_at", "created_by", "digest", "done_by", "email_key", "ended_by",
        "entry_key", "id", "key", "link_epoch", "media_type", "name_key", "next_at",
        "object_kind", "on_cap", "priority", "recorded_by", "released_by", "send_window", "seq",
        "settled_by", "sort_key", "stage_next_at", "step_no", "wake_at", "xid",
    }
)  # fmt: skip
"""Columns that tell a reader nothing, as do the ids of other rows; machines get them too."""


def everything(
    session: Session, alumnus_id: int, *, at: datetime, by: Viewer | None
) -> dict[str, Any]:
    """The record and every row of every table about a person, those found by way of others too."""
    told = everything_about(session, alumnus_id, at=at, by=by)
    tables: dict[str, list[dict[str, Any]]] = told["tables"]
    for name, mine in extensions().personal.items():
        if name in tables or name == "alumnus" or mine.where == "false" or not mine.told:
            continue
        rows = _rows(session, db.metadata.tables[name], mine.where, alumnus_id)
        if rows:
            tables[name] = rows
    told["tables"] = {
        name: [{k: v for k, v in row.items() if k not in SECRET} for row in rows]
        for name, rows in tables.items()
    }
    return told


def _rows(session: Session, table: Table, where: str, alumnus_id: int) -> list[dict[str, Any]]:
    mine = text(where.format(gone=MINE)).bindparams(id=alumnus_id)
    rows = session.execute(select(table).where(mine)).mappings()
    return [{key: plain(value) for key, value in row.items()} for row in rows]


def readable(told: Mapping[str, Any], language: str) -> str:
    """The same as a page in the person's language, for eyes and printers."""
    known = spoken(language)
    with force_locale(known):
        record = {k: v for k, v in told["record"].items() if is_told(k) and v}
        parts = [
            (TABLES.get(name, _words(name)), [_line(row) for row in rows])
            for name, rows in told["tables"].items()
        ]
        return render_template(
            "crm/rights/_everything.html", language=known, direction=text_direction(known),
            record=[(_heading(k), _value(v)) for k, v in record.items()], parts=parts,
            at=datetime.fromisoformat(told["at"]),
        )  # fmt: skip


def is_told(column: str) -> bool:
    """Whether a column tells a reader something."""
    return column not in WORKINGS and not column.endswith("_id")


def _line(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = {k: v for k, v in row.items() if is_told(k) and v not in (None, "", {}, [])}
    return [(_heading(key), _value(value)) for key, value in shown.items()]


def _heading(key: str) -> str:
    return str(COLUMNS.get(key) or _words(key))


def _words(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _value(value: Any) -> str:
    """A value as a reader wants it: days and moments in words, lists as lists."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Mapping):
        return "; ".join(f"{_heading(str(k))}: {_value(v)}" for k, v in value.items() if v)
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value)
    text_value = "" if value is None else str(value)
    try:
        if len(text_value) == 10 and text_value[4] == "-":
            return str(format_date(date.fromisoformat(text_value)))  # type: ignore[no-untyped-call]
        if len(text_value) >= 19 and text_value[10] == "T":
            return moment_words(datetime.fromisoformat(text_value))
    except ValueError:
        pass
    return text_value
