"""What the words of a compiled query turned out to mean, for sentences and forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from crm.core.extend import FieldKind, FieldMatch, QueryField, QueryRows
from crm.query.nodes import One, Range, Rows, Term


@dataclass(frozen=True)
class Asked:
    """One value of a term: the field it asks, in which choices, and the range it stands for."""

    field: QueryField
    value: One | Range
    match: FieldMatch
    choices: Mapping[str, Any]


@dataclass
class Meaning:
    """What each term asked, and what each description of rows meant, by their canonical nodes."""

    session: Session | None
    asked: dict[Term, tuple[Asked, ...]] = field(default_factory=dict)
    rows: dict[Rows, tuple[QueryRows, Meaning]] = field(default_factory=dict)

    def label(self, load: Callable[[Session], Mapping[str, Any]] | None, key: str) -> str:
        """What a value that need not be a known one is called, or nothing."""
        known = load(self.session) if load is not None and self.session is not None else {}
        return str(known[key]) if key in known else ""

    def on(self, session: Session | None) -> Meaning:
        """The same, labels looked up through that session."""
        rows = {node: (one, meaning.on(session)) for node, (one, meaning) in self.rows.items()}
        return Meaning(session, self.asked, rows)


def canonical(asked: Asked) -> One | Range:
    """The value as the canonical text has it: a choice by its key, everything else as written."""
    value, match = asked.value, asked.match
    if asked.field.kind is FieldKind.FLAG and isinstance(value, One):
        key = asked.field.key.partition(":")[2]
        return One(key + match.name, False, value.place)
    if asked.field.kind is not FieldKind.CHOICE:
        return value
    if isinstance(value, One):
        return _keyed(value, match.low)
    low = _keyed(value.low, match.low) if value.low else None
    high = _keyed(value.high, match.high) if value.high else None
    return Range(low, high, value.place)


def _keyed(value: One, key: str) -> One:
    bare = not any(c in key for c in ' \t()",') and ".." not in key
    return One(key, not bare, value.place)
