"""A query as a form has it: groups of lines, read from any query and written back as its text.

What the form cannot show, such as brackets within brackets, is kept as a line of text, so that
reading a query and writing it back is the query again.
"""

from __future__ import annotations

from dataclasses import dataclass

from crm.query.errors import QueryError
from crm.query.nodes import (
    All,
    Either,
    Node,
    Not,
    One,
    Rows,
    Term,
    all_of,
    any_of,
    negated,
)
from crm.query.parser import parse

ALL, ANY = "all", "any"


@dataclass(frozen=True)
class Line:
    """`field` and `value` as they stand around the colon, or with no field a piece of `text`."""

    field: str = ""
    value: str = ""
    negated: bool = False
    text: str = ""


@dataclass(frozen=True)
class Group:
    """Lines of which all or any are true, or (`kind` the name of rows) which describe one row."""

    kind: str = ALL
    lines: tuple[Line, ...] = ()
    negated: bool = False


@dataclass(frozen=True)
class Board:
    """Groups of which all or any are true of a person."""

    groups: tuple[Group, ...] = ()
    match: str = ALL


def read_board(node: Node) -> Board:
    """The form of a query."""
    match = ANY if isinstance(node, Either) else ALL
    items = node.items if isinstance(node, (All, Either)) else (node,)
    groups: list[Group] = []
    for item in items:
        group = _group(item)
        if group is not None:
            groups.append(group)
            continue
        line = _line(item) or Line(text=str(item))
        if groups and groups[-1].kind == match and not groups[-1].negated:
            groups[-1] = Group(match, (*groups[-1].lines, line))
        else:
            groups.append(Group(match, (line,)))
    return Board(tuple(groups), match)


def text_board(text: str) -> Board:
    """The form of a text that is no query yet: one line that keeps it."""
    return Board((Group(ALL, (Line(text=text),)),))


def write_board(board: Board) -> Node:
    """The query of a form; lines without a value and groups without lines ask nothing.

    Raises `QueryError` for a line that cannot be read.
    """
    nodes = [node for group in board.groups if (node := _written(group)) is not None]
    return any_of(nodes) if board.match == ANY and nodes else all_of(nodes)


def _group(node: Node) -> Group | None:
    """The group that a node is by itself, or None for what is a line of one."""
    outside = isinstance(node, Not)
    inner = node.item if isinstance(node, Not) else node
    if isinstance(inner, Rows):
        lines = None if isinstance(inner.item, Either) else _lines(inner.item)
        return None if lines is None else Group(inner.name, lines, outside)
    if isinstance(inner, (All, Either)):
        lines = _lines(inner)
        kind = ANY if isinstance(inner, Either) else ALL
        return Group(kind, lines, outside) if lines else None
    return None


def _lines(node: Node) -> tuple[Line, ...] | None:
    """The items of a node as lines, if each is one."""
    items = node.items if isinstance(node, (All, Either)) else (node,)
    lines = [_line(item) for item in items]
    return None if None in lines else tuple(line for line in lines if line is not None)


def _line(node: Node) -> Line | None:
    inner = node.item if isinstance(node, Not) else node
    if not isinstance(inner, Term):
        return None
    return Line(inner.field, ",".join(map(str, inner.values)), isinstance(node, Not))


def _written(group: Group) -> Node | None:
    nodes = [node for line in group.lines if (node := _node(line)) is not None]
    if group.kind in (ALL, ANY):
        if not nodes:
            return None
        node = any_of(nodes) if group.kind == ANY else all_of(nodes)
    else:
        node = Rows(group.kind, all_of(nodes))
    return negated(node) if group.negated else node


def _node(line: Line) -> Node | None:
    if not line.field:
        node: Node = parse(line.text)
        return None if node == All() else node
    if not line.value.strip():
        return None
    term = _term(line.field, line.value.strip())
    return Not(term) if line.negated else term


def _term(field: str, value: str) -> Term:
    """`field:value`; a value that does not read as one is put in quotation marks as a whole."""
    try:
        node = parse(f"{field}:{value}")
        if isinstance(node, Term) and node.field == field:
            return node
    except QueryError:
        pass
    return Term(field, (One(value, quoted=True),))
