"""Turns a query into one SELECT of the people it means and its viewer may know of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Exists,
    and_,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, Grouping, UnaryExpression

from crm.core.errors import Invalid
from crm.core.extend import (
    FieldKind,
    FieldMatch,
    QueryBase,
    QueryContext,
    QueryField,
    QueryRows,
    extensions,
)
from crm.query.compiled import Compiled
from crm.query.errors import nearest
from crm.query.meaning import Asked, Meaning, canonical
from crm.query.nodes import (
    NAME,
    Either,
    Node,
    Not,
    One,
    Place,
    Range,
    Rows,
    Term,
    any_of,
    negated,
    parts,
)
from crm.query.parser import parse
from crm.query.pointing import colon, fault, pointed
from crm.query.rows import rows_condition, split, takes_none, total_fields
from crm.query.values import plain, read

FLAG_WORDS = ("is", "has")
LACKS = "lacks"


def compile_anew(text: str, context: QueryContext) -> Compiled:
    """What `compile_query` does, whether or not it was done before."""
    base = extensions().query_base
    if base is None:
        raise RuntimeError("no area has registered the table that queries select from")
    known = extensions()
    work = _Work(context, base, registry(known.query_fields), known.query_rows)
    node = work.resolve(parse(text))
    wall = base.visible(context.viewer)
    condition = and_(wall, work.condition(node))
    each = and_(wall, work.condition(node, each=True)) if work.apiece else condition
    ids = select(base.id).where(condition).correlate(None)
    return Compiled(ids, condition, each, str(node), node, frozenset(work.used), work.meaning)


def registry(fields: Iterable[QueryField]) -> Mapping[str, QueryField]:
    """Fields by each of their names, all in lower case."""
    return {name.lower(): field for field in fields for name in (field.key, *field.aliases)}


@dataclass
class _Work:
    """One compilation: what it may use, and what it used. `inside` are the rows being described."""

    context: QueryContext
    base: QueryBase
    fields: Mapping[str, QueryField]
    rows: Mapping[str, QueryRows]
    inside: QueryRows | None = None
    used: set[str] = field(default_factory=set)
    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    conditions: dict[Node, ColumnElement[bool]] = field(default_factory=dict)
    apiece: dict[Node, ColumnElement[bool]] = field(default_factory=dict)
    meaning: Meaning = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing understood."""
        self.meaning = Meaning(self.context.session)

    def resolve(self, node: Node) -> Node:
        """The tree with fields and choices under their own names; compiles each term on the way."""
        if isinstance(node, Term):
            return self.lacking(node) if node.field == LACKS else self.term(node)
        if isinstance(node, Rows):
            return self.described(node)
        if isinstance(node, Not):
            return negated(self.resolve(node.item))
        if isinstance(node, Either):
            return any_of(self.resolve(item) for item in node.items)
        return replace(node, items=tuple(self.resolve(item) for item in node.items))

    def condition(self, node: Node, *, each: bool = False) -> ColumnElement[bool]:
        """The condition on a row of alumni that a resolved tree stands for."""
        if isinstance(node, (Term, Rows)):
            return self.apiece[node] if each and node in self.apiece else self.conditions[node]
        if isinstance(node, Not):
            return _opposite(self.condition(node.item, each=each))
        conditions = [self.condition(item, each=each) for item in parts(node)]
        return or_(*conditions) if isinstance(node, Either) else and_(true(), *conditions)

    def lacking(self, term: Term) -> Node:
        """`lacks:phone` is the opposite of `has:phone`, for each of its values."""
        each = (replace(term, field="has", values=(value,)) for value in term.values)
        return any_of([Not(self.term(one)) for one in each])

    def term(self, term: Term) -> Term:
        """The term under its own names, its condition remembered."""
        self.spend(len(term.values), term.place)
        if term.field == NAME and self.inside and self.inside.default:
            term = replace(term, field=self.inside.default, values=tuple(_listed(term.values)))
        asked = []
        conditions = []
        key = term.field
        for value in term.values:
            found, name = self.find(term, value)
            match = replace(self.match(found, value, term), name=name)
            conditions.append(self.ask(found, match, value, term))
            asked.append(Asked(found, value, match, self.known.get(found.key, {})))
            self.used.add(found.key)
            if found.kind is not FieldKind.FLAG:
                key = found.key + name if found.key.endswith(".") else found.key
        resolved = replace(term, field=key, values=tuple(canonical(one) for one in asked))
        self.conditions[resolved] = or_(*conditions)
        self.meaning.asked[resolved] = tuple(asked)
        return resolved

    def described(self, node: Rows) -> Rows:
        """The rows with what describes them under its own names, their condition remembered."""
        self.spend(1, node.place)
        rows = self.rows.get(node.name)
        if rows is None:
            close = nearest(node.name, self.rows)
            message, outside = "Nothing is kept as “%(row)s(…)”.", ""
            if self.inside is not None:
                message = "%(row)s(…) cannot stand inside %(outside)s(…)."
                outside = self.inside.key
            raise fault(
                message, node.place, f"{close}(" if close else "", row=node.name, outside=outside
            )
        work = _Work(
            self.context, self.base, registry([*rows.fields, *total_fields(rows)]), {}, rows
        )
        resolved = replace(node, name=rows.key, item=work.resolve(node.item))
        single, totals = split(rows, resolved)
        matches = [(term.field, [one.match for one in work.meaning.asked[term]]) for term in totals]
        together, each = rows_condition(
            self.base, rows, work.condition(single), [work.condition(t) for t in totals],
            none=takes_none(rows, matches),
        )  # fmt: skip
        self.conditions[resolved] = together
        if totals:
            self.apiece[resolved] = each
        self.used.add(f"{rows.key}(")
        self.meaning.rows[resolved] = rows, work.meaning
        return resolved

    def spend(self, amount: int, place: Place) -> None:
        """Count terms, those of saved queries inside included."""
        self.context.budget[0] -= amount
        if self.context.budget[0] < 0:
            raise fault("With the saved queries inside it, this query is too large.", place)

    def find(self, term: Term, value: One | Range) -> tuple[QueryField, str]:
        """The field that a term names, and what follows the dot of its name."""
        if term.field in FLAG_WORDS:
            return self.flag(term, value)
        head, dot, name = term.field.partition(".")
        found = self.fields.get(head + "." if dot and name else term.field)
        if found is not None and found.kind is not FieldKind.FLAG:
            return found, name
        names = [*self.fields_offered(), *FLAG_WORDS, LACKS]
        message, row = "There is no field “%(key)s”.", ""
        if self.inside is not None:
            message, row = "%(row)s(…) knows no “%(key)s”.", self.inside.key
        length = term.place.length if term.field == NAME else len(term.field)
        raise fault(
            message, Place(term.place.position, length), colon(nearest(term.field, names)),
            key=term.field, row=row,
        )  # fmt: skip

    def flag(self, term: Term, value: One | Range) -> tuple[QueryField, str]:
        """The flag that `is:` or `has:` names, and what follows its dot (`has:custom.club`)."""
        offered = {
            plain(name.partition(":")[2]): field
            for name, field in self.fields.items()
            if field.kind is FieldKind.FLAG and name.startswith(f"{term.field}:")
        }
        text = value.text if isinstance(value, One) else str(value)
        if isinstance(value, One) and plain(text) in offered:
            return offered[plain(text)], ""
        head, dot, name = text.partition(".")
        if isinstance(value, One) and name and head.lower() + dot in offered:
            return offered[head.lower() + dot], name
        close = nearest(text, [field.key.partition(":")[2] for field in offered.values()])
        suggestion = f"{term.field}:{close}" if close else ""
        raise fault(
            "%(key)s: knows no “%(text)s”.", value.place, suggestion, key=term.field, text=text
        )

    def fields_offered(self) -> list[str]:
        """Names that may stand before a colon."""
        return [name.rstrip(".") for name in self.fields if ":" not in name]

    def match(self, found: QueryField, value: One | Range, term: Term) -> FieldMatch:
        """What the value asks of the field."""
        if found.kind is FieldKind.FLAG:
            return FieldMatch()
        if found.choices and found.kind is FieldKind.CHOICE and found.key not in self.known:
            self.known[found.key] = found.choices(self.context.session)
        try:
            return read(found, value, lambda: self.context.at, self.known.get(found.key, {}))
        except Invalid as error:
            raise pointed(error, value, term) from error

    def ask(
        self, found: QueryField, match: FieldMatch, value: One | Range, term: Term
    ) -> ColumnElement[bool]:
        """The field's condition; what it refuses is said of the value."""
        try:
            return found.condition(match, self.context)
        except Invalid as error:
            raise pointed(error, value, term) from error


def _opposite(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True for everybody whom the condition does not match, unknown data included."""
    return not_(condition) if _certain(condition) else condition.is_not(true())


def _certain(condition: Any) -> bool:
    """Whether the condition is never unknown; of such a one the opposite can be a join."""
    if isinstance(condition, Grouping):
        return _certain(condition.element)
    if isinstance(condition, BooleanClauseList):
        return all(_certain(clause) for clause in condition.clauses)
    if isinstance(condition, UnaryExpression) and condition.operator is operators.inv:
        return _certain(condition.element)
    return isinstance(condition, Exists)


def _listed(values: Iterable[One | Range]) -> Iterable[One | Range]:
    """Bare words such as `talk_given,mentoring` as the list that they are after a field."""
    for value in values:
        if isinstance(value, Range) or value.quoted:
            yield value
        else:
            yield from (replace(value, text=part) for part in value.text.split(",") if part)
