"""Turns a query into one SELECT of the people it means and its viewer may know of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Exists,
    ScalarSelect,
    Select,
    and_,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session

from crm.core.errors import Invalid
from crm.core.extend import FieldKind, FieldMatch, QueryContext, QueryField, extensions
from crm.query.errors import QueryError, UnknownValue, nearest
from crm.query.nodes import Either, Node, Not, One, Place, Range, Term
from crm.query.parser import parse
from crm.query.values import plain, read

FLAG_WORDS = ("is", "has")


@dataclass(frozen=True)
class Compiled:
    """A query ready to run.

    `ids` selects the ids of the people; `condition` says the same of a row of alumni, the viewer's
    wall included. `text` is the canonical form and `node` its tree; `fields` are the keys used.
    """

    ids: Select[Any]
    condition: ColumnElement[bool]
    text: str
    node: Node
    fields: frozenset[str]


def compile_query(text: str, context: QueryContext) -> Compiled:
    """Compile `text` for the viewer and moment given; raises `QueryError` pointing at a word."""
    base = extensions().query_base
    if base is None:
        raise RuntimeError("no area has registered the table that queries select from")
    if not context.trail:
        context = replace(context, budget=[500])
    work = _Work(context, registry(extensions().query_fields))
    node = work.resolve(parse(text))
    condition = and_(base.visible(context.viewer), work.condition(node))
    ids = select(base.id).where(condition).correlate(None)
    return Compiled(ids, condition, str(node), node, frozenset(work.used))


def count_up_to(session: Session, compiled: Compiled, limit: int = 10_000) -> tuple[int, bool]:
    """How many people the query means, counted up to `limit`, and whether there are more."""
    found = session.scalar(select(up_to(compiled, limit))) or 0
    return min(found, limit), found > limit


def up_to(compiled: Compiled, limit: int) -> ScalarSelect[int]:
    """How many people the query means, as a piece of a statement; one above `limit` at most."""
    some = compiled.ids.order_by(None).limit(limit + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def registry(fields: Iterable[QueryField]) -> Mapping[str, QueryField]:
    """Fields by each of their names, all in lower case."""
    return {name.lower(): field for field in fields for name in (field.key, *field.aliases)}


@dataclass
class _Work:
    """One compilation: what it may use, and what it used."""

    context: QueryContext
    fields: Mapping[str, QueryField]
    used: set[str] = field(default_factory=set)
    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    conditions: dict[Term, ColumnElement[bool]] = field(default_factory=dict)

    def resolve(self, node: Node) -> Node:
        """The tree with fields and choices under their own names; compiles each term on the way."""
        if isinstance(node, Term):
            return self.term(node)
        if isinstance(node, Not):
            return Not(self.resolve(node.item))
        return replace(node, items=tuple(self.resolve(item) for item in node.items))

    def condition(self, node: Node) -> ColumnElement[bool]:
        """The condition on a row of alumni that a resolved tree stands for."""
        if isinstance(node, Term):
            return self.conditions[node]
        if isinstance(node, Not):
            return _opposite(self.condition(node.item))
        parts = [self.condition(item) for item in node.items]
        if isinstance(node, Either):
            return or_(*parts)
        return and_(true(), *parts)

    def term(self, term: Term) -> Term:
        """The term under its own names, its condition remembered."""
        self.spend(len(term.values), term.place)
        values = []
        parts = []
        key = term.field
        for value in term.values:
            found, name = self.find(term, value)
            match = self.match(found, value, term)
            parts.append(self.ask(found, replace(match, name=name), value, term))
            values.append(_canonical(found, value, match))
            self.used.add(found.key)
            if found.kind is not FieldKind.FLAG:
                key = found.key + name if found.key.endswith(".") else found.key
        resolved = replace(term, field=key, values=tuple(values))
        self.conditions[resolved] = or_(*parts)
        return resolved

    def spend(self, amount: int, place: Place) -> None:
        """Count terms, those of saved queries inside included."""
        self.context.budget[0] -= amount
        if self.context.budget[0] < 0:
            raise _error("With the saved queries inside it, this query is too large.", place)

    def find(self, term: Term, value: One | Range) -> tuple[QueryField, str]:
        """The field that a term names, and what follows the dot of its name."""
        if term.field in FLAG_WORDS:
            return self.flag(term, value), ""
        head, dot, name = term.field.partition(".")
        found = self.fields.get(head + "." if dot and name else term.field)
        if found is not None and found.kind is not FieldKind.FLAG:
            return found, name
        names = [*self.fields_offered(), *FLAG_WORDS]
        raise QueryError(
            f"There is no field “{term.field}”.", position=term.place.position,
            length=len(term.field), suggestion=_colon(nearest(term.field, names)),
        )  # fmt: skip

    def flag(self, term: Term, value: One | Range) -> QueryField:
        """The flag that `is:` or `has:` names."""
        offered = {
            plain(name.partition(":")[2]): field
            for name, field in self.fields.items()
            if field.kind is FieldKind.FLAG and name.startswith(f"{term.field}:")
        }
        if isinstance(value, One) and plain(value.text) in offered:
            return offered[plain(value.text)]
        text = value.text if isinstance(value, One) else str(value)
        close = nearest(text, [field.key.partition(":")[2] for field in offered.values()])
        suggestion = f"{term.field}:{close}" if close else ""
        raise _error(f"{term.field}: knows no “{text}”.", value.place, suggestion)

    def fields_offered(self) -> list[str]:
        """Names that may stand before a colon."""
        return [name.rstrip(".") for name in self.fields if ":" not in name]

    def match(self, found: QueryField, value: One | Range, term: Term) -> FieldMatch:
        """What the value asks of the field."""
        if found.kind is FieldKind.FLAG:
            return FieldMatch()
        if found.choices and found.key not in self.known:
            self.known[found.key] = found.choices(self.context.session)
        try:
            return read(found, value, self.context.at, self.known.get(found.key, {}))
        except Invalid as error:
            raise _pointed(error, value, term) from error

    def ask(
        self, found: QueryField, match: FieldMatch, value: One | Range, term: Term
    ) -> ColumnElement[bool]:
        """The field's condition; what it refuses is said of the value."""
        try:
            return found.condition(match, self.context)
        except Invalid as error:
            raise _pointed(error, value, term) from error


def _pointed(error: Invalid, value: One | Range, term: Term) -> QueryError:
    """The error, pointing at the value (or the name after the dot), with the nearest choice."""
    if not isinstance(error, UnknownValue):
        return _error(str(error), value.place)
    wrong, place = (
        value.text if isinstance(value, One) else _unknown(value, error.choices),
        value.place,
    )
    if error.name:
        start = term.place.position + len(term.field) - len(error.name)
        wrong, place = error.name, Place(start, len(error.name))
    close = nearest(wrong, error.choices)
    return _error(str(error), place, f'"{close}"' if " " in close else close)


def _opposite(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True for everybody whom the condition does not match, unknown data included."""
    if isinstance(condition, Exists):
        return not_(condition)
    return condition.is_not(true())


def _unknown(value: Range, choices: Sequence[str]) -> str:
    """The end of a range that is none of the choices."""
    ends = [end.text for end in (value.low, value.high) if end is not None]
    known = {plain(choice) for choice in choices}
    return next((text for text in ends if plain(text) not in known), ends[0])


def _canonical(found: QueryField, value: One | Range, match: FieldMatch) -> One | Range:
    """The value as the canonical text has it: a choice by its key, everything else as written."""
    if found.kind is FieldKind.FLAG and isinstance(value, One):
        return replace(value, text=found.key.partition(":")[2], quoted=False)
    if found.kind is not FieldKind.CHOICE:
        return value
    if isinstance(value, One):
        return _keyed(value, match.low)
    return replace(
        value,
        low=_keyed(value.low, match.low) if value.low else None,
        high=_keyed(value.high, match.high) if value.high else None,
    )


def _keyed(value: One, key: str) -> One:
    bare = not any(c in key for c in ' \t()",') and ".." not in key
    return replace(value, text=key, quoted=not bare)


def _colon(name: str) -> str:
    return f"{name}:" if name else ""


def _error(message: str, place: Place, suggestion: str = "") -> QueryError:
    return QueryError(message, position=place.position, length=place.length, suggestion=suggestion)
