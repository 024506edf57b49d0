"""A query as values: what was asked for, how it is combined, and its canonical text."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NAME = "name"
WORD = re.compile(r"""[^\s()":\-,][^\s()":]*(?<!,)""")
OPERATORS = frozenset({"and", "or", "not", "AND", "OR", "NOT"})


@dataclass(frozen=True)
class Place:
    """Where in the text something stood, in characters."""

    position: int = 0
    length: int = 0


@dataclass(frozen=True)
class One:
    """A single value; `quoted` if it stood in quotation marks."""

    text: str
    quoted: bool = False
    place: Place = dataclasses.field(default=Place(), compare=False)

    def __str__(self) -> str:
        if not self.quoted:
            return self.text
        return '"' + self.text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True)
class Range:
    """`low..high`; one end may be open."""

    low: One | None
    high: One | None
    place: Place = dataclasses.field(default=Place(), compare=False)

    def __str__(self) -> str:
        return f"{self.low or ''}..{self.high or ''}"


@dataclass(frozen=True)
class Term:
    """`field:value,value`: true for a person who matches any of the values."""

    field: str
    values: tuple[One | Range, ...]
    place: Place = dataclasses.field(default=Place(), compare=False)

    def __str__(self) -> str:
        if self.field == NAME and len(self.values) == 1 and _bare(self.values[0]):
            return str(self.values[0])
        return f"{self.field}:{','.join(map(str, self.values))}"


@dataclass(frozen=True)
class Not:
    """Everybody but those."""

    item: Node

    def __str__(self) -> str:
        return f"-{_inner(self.item)}"


@dataclass(frozen=True)
class All:
    """People whom every item matches; with no items, everybody. Made by `all_of`."""

    items: tuple[Node, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(_inner, self.items))


@dataclass(frozen=True)
class Either:
    """People whom any item matches. Made by `any_of`."""

    items: tuple[Node, ...]

    def __str__(self) -> str:
        return " or ".join(str(item) for item in self.items)


@dataclass(frozen=True)
class Rows:
    """`name(item)`: people with a row of that name which the item describes, all of it in one."""

    name: str
    item: Node
    place: Place = dataclasses.field(default=Place(), compare=False)

    def __str__(self) -> str:
        return f"{self.name}({self.item})"


Node = Term | Not | All | Either | Rows


def all_of(items: Iterable[Node]) -> Node:
    """The items together, with no conjunction inside a conjunction."""
    flat = [n for item in items for n in (item.items if isinstance(item, All) else (item,))]
    return flat[0] if len(flat) == 1 else All(tuple(flat))


def any_of(items: Iterable[Node]) -> Node:
    """Any of the items, with no alternative inside an alternative."""
    flat = [n for item in items for n in (item.items if isinstance(item, Either) else (item,))]
    return flat[0] if len(flat) == 1 else Either(tuple(flat))


def negated(item: Node) -> Node:
    """The opposite; what is denied twice is affirmed."""
    return item.item if isinstance(item, Not) else Not(item)


def parts(node: Node) -> tuple[Node, ...]:
    """What a node is made of; a term of nothing."""
    if isinstance(node, Term):
        return ()
    return (node.item,) if isinstance(node, (Not, Rows)) else node.items


def terms(node: Node) -> Iterator[Term]:
    """Every term of a query, those inside rows included, from left to right."""
    if isinstance(node, Term):
        yield node
    for item in parts(node):
        yield from terms(item)


def depth(node: Node) -> int:
    """How deep the query is nested; a single term is 1."""
    return 1 + max((depth(item) for item in parts(node)), default=0)


def _inner(node: Node) -> str:
    return f"({node})" if isinstance(node, (All, Either)) else str(node)


def _bare(value: One | Range) -> bool:
    """Whether a name reads the same without `name:` before it."""
    if isinstance(value, Range):
        return False
    plain = WORD.fullmatch(value.text) and value.text not in OPERATORS
    return value.quoted or bool(plain)
