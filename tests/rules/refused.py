"""The sentences of refusals in a module, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from crm.core.errors import HomecomingError, Refused

GETTEXT = {"_", "gettext", "ngettext", "lazy_gettext"}
MAKERS = {"fault", "_fault"}
"""Functions that make a refusal of the sentence that they are given."""


def kinds_of(kind: type[HomecomingError]) -> Iterator[type[HomecomingError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from kinds_of(inner)


def refusals(tree: ast.AST) -> Iterator[ast.expr]:
    """What is said by each refusal made in a module; files' faults (`Refused`) name their place."""
    said = {kind.__name__ for kind in kinds_of(HomecomingError)} | MAKERS
    said -= {kind.__name__ for kind in kinds_of(Refused)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if name in said:
                yield node.args[0]


def variables(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """What is assigned to each name in a module."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
                for name in names:
                    found.setdefault(name, []).append(node.value)
    return found


def texts(node: ast.AST) -> Iterator[str]:
    """The sentences in an expression that nobody translated; "" for one that nobody could."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in GETTEXT:
        return
    if isinstance(node, ast.JoinedStr):
        prose = [v.value for v in node.values if isinstance(v, ast.Constant)]
        if any(any(c.isalpha() for c in str(piece)) for piece in prose):
            yield ""
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value[1:]:
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from texts(child)


def said_in(source: str) -> list[str]:
    """The untranslated sentences of the refusals of a module."""
    tree = ast.parse(source)
    known, found = variables(tree), []
    for message in refusals(tree):
        found += list(texts(message))
        for inner in ast.walk(message):
            if isinstance(inner, ast.Name):
                for value in known.get(inner.id, ()):
                    found += list(texts(value))
    return found
