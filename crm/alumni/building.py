"""The form that builds queries: what its fields offer, and what its buttons do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask_babel import gettext
from sqlalchemy.orm import Session

from crm.core.errors import Invalid
from crm.core.extend import FieldKind, QueryContext, QueryField, extensions
from crm.query import QueryError, compile_query
from crm.query.board import ALL, ANY, Board, Group, Line, read_board, text_board, write_board
from crm.query.compiler import FLAG_WORDS, registry
from crm.query.parser import parse
from crm.query.rows import total_fields

MOST_GROUPS = 30
MOST_LINES = 30
MOST_OFFERED = 100


def board_of(text: str, context: QueryContext) -> Board:
    """The form of a typed query: under canonical names if it compiles, else as far as it reads."""
    try:
        return read_board(compile_query(text, context).node)
    except QueryError:
        try:
            return read_board(parse(text))
        except QueryError:
            return text_board(text)


def text_of(board: Board) -> str:
    """The query of a form as text; a line that cannot be read stands in it as it is."""
    try:
        return str(write_board(board))
    except QueryError:
        texts = (
            line.text or f"{line.field}:{line.value}" for g in board.groups for line in g.lines
        )
        return " ".join(texts)


def board_from(values: Mapping[str, str]) -> Board:
    """The form as it was sent: `match`, `kind-0`, `out-0`, and of each line `field-0-0`, …"""
    groups = []
    for g in range(MOST_GROUPS):
        if f"kind-{g}" not in values:
            break
        lines = []
        for n in range(MOST_LINES):
            if f"field-{g}-{n}" not in values and f"text-{g}-{n}" not in values:
                break
            lines.append(_line(values, f"{g}-{n}"))
        groups.append(Group(values[f"kind-{g}"], tuple(lines), f"out-{g}" in values))
    return Board(tuple(groups), ANY if values.get("match") == ANY else ALL)


def _line(values: Mapping[str, str], place: str) -> Line:
    if f"text-{place}" in values:
        return Line(text=values[f"text-{place}"])
    field, value = values[f"field-{place}"], values.get(f"value-{place}", "")
    return Line(field, value, values.get(f"not-{place}") == "1")


def pressed(board: Board, button: str) -> Board:
    """The form after one of its buttons: `line:0`, `drop:0:1`, `group:any`, `ungroup:0`."""
    what, _, rest = button.partition(":")
    numbers = [int(part) for part in rest.split(":") if part.isascii() and part.isdecimal()]
    groups = list(board.groups)
    g = numbers[0] if numbers and numbers[0] < len(groups) else None
    if what == "group" and len(groups) < MOST_GROUPS:
        groups.append(Group(rest or ALL, (Line("class"),) if rest in (ALL, ANY) else ()))
    elif what == "line" and g is not None and len(groups[g].lines) < MOST_LINES:
        first = offered_fields(groups[g].kind)
        new = Line("class" if groups[g].kind in (ALL, ANY) else first[0].key)
        groups[g] = replace(groups[g], lines=(*groups[g].lines, new))
    elif what == "drop" and g is not None and len(numbers) > 1:
        lines = [line for n, line in enumerate(groups[g].lines) if n != numbers[1]]
        groups[g] = replace(groups[g], lines=tuple(lines))
    elif what == "ungroup" and g is not None:
        del groups[g]
    return replace(board, groups=tuple(groups))


def offered_fields(kind: str) -> Sequence[QueryField]:
    """The fields that lines of such a group may ask; raises `Invalid` for rows nobody keeps."""
    known = extensions()
    if kind in (ALL, ANY):
        return known.query_fields
    if kind not in known.query_rows:
        raise Invalid(gettext("There is no such group."))
    rows = known.query_rows[kind]
    return [*rows.fields, *total_fields(rows)]


@dataclass(frozen=True)
class FieldChoice:
    """What a line's first select offers."""

    key: str
    label: str


@dataclass(frozen=True)
class LineView:
    """A line as the page shows it; `values` are what its field knows, `example` one to show."""

    line: Line
    fields: Sequence[FieldChoice]
    values: Sequence[tuple[str, str]]
    example: str


@dataclass(frozen=True)
class GroupView:
    """A group as the page shows it."""

    group: Group
    lines: Sequence[LineView]


def views(board: Board, session: Session) -> list[GroupView]:
    """The form with what each of its lines may hold; choices are loaded once for each field."""
    loaded: dict[tuple[str, str], Sequence[tuple[str, str]]] = {}
    shown = []
    for group in board.groups:
        fields = offered_fields(group.kind)
        offered, known = _field_choices(fields, session), registry(fields)
        lines = []
        for line in group.lines:
            place = (group.kind, line.field)
            if place not in loaded:
                loaded[place] = _values(line.field, known, session)
            lines.append(LineView(line, _with(offered, line), loaded[place], _hint(line, known)))
        shown.append(GroupView(group, lines))
    return shown


def _field_choices(fields: Sequence[QueryField], session: Session) -> list[FieldChoice]:
    """Flags together under the word that they begin with, prefixes with each of their names."""
    found = [
        FieldChoice(word, str(label))
        for word, label in (("is", gettext("Is…")), ("has", gettext("Has…")))
        if any(f.key.startswith(f"{word}:") for f in fields)
    ]
    for field in fields:
        if field.kind is FieldKind.FLAG:
            continue
        if not field.key.endswith("."):
            found.append(FieldChoice(field.key, str(field.label)))
            continue
        names = list((field.names(session) if field.names else {}).items())[:MOST_OFFERED]
        found += [
            FieldChoice(field.key + key, f"{field.label}: {gettext(str(label))}")
            for key, label in names
        ]
    return sorted(found, key=lambda choice: choice.label.casefold())


def _with(offered: list[FieldChoice], line: Line) -> list[FieldChoice]:
    """The choices, the line's own field among them even if it is not known."""
    if not line.field or any(choice.key == line.field for choice in offered):
        return offered
    return [FieldChoice(line.field, line.field), *offered]


def _values(
    key: str, known: Mapping[str, QueryField], session: Session
) -> Sequence[tuple[str, str]]:
    if key in FLAG_WORDS:
        flags = {f.key: f for f in known.values() if f.key.startswith(f"{key}:")}
        return [(k.partition(":")[2], str(f.label)) for k, f in flags.items() if k[-1] != "."]
    field = known.get(key.lower())
    if field is None or field.choices is None:
        return []
    items: list[tuple[str, Any]] = list(field.choices(session).items())[:MOST_OFFERED]
    return [(str(value), gettext(str(label)) if label else str(value)) for value, label in items]


def _hint(line: Line, known: Mapping[str, QueryField]) -> str:
    """What a value looks like."""
    head, dot, _ = line.field.lower().partition(".")
    field = known.get(head + dot)
    if field is None:
        return ""
    if field.example.startswith(head):
        return field.example.partition(":")[2]
    samples = {
        FieldKind.DATE: "1y, 2026-05", FieldKind.NUMBER: "2..", FieldKind.AMOUNT: "10..",
    }  # fmt: skip
    return samples.get(field.kind, "")
