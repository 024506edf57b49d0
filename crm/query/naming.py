"""Whether a query names something that is kept elsewhere, such as a segment, by key or by name."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from crm.core.extend import extensions
from crm.query.errors import QueryError
from crm.query.nodes import One, terms
from crm.query.parser import parse
from crm.query.values import plain


def that_names(session: Session, piece: str) -> Callable[[str], bool]:
    """A test of query texts: does one hold the piece (`segment:key`), however it is written.

    A text that can no longer be read counts if the key stands in it.
    """
    name, _, key = piece.partition(":")
    known = next((field for field in extensions().query_fields if field.key == name), None)
    fields, wanted = {name}, {plain(key)}
    if known is not None:
        fields |= set(known.aliases)
        label = known.choices(session).get(key) if known.choices else None
        wanted |= {plain(str(label))} if label else set()

    def found(text: str) -> bool:
        try:
            tree = parse(text)
        except QueryError:
            return key in text
        return any(
            isinstance(value, One) and plain(value.text) in wanted
            for term in terms(tree)
            if term.field.lower() in fields
            for value in term.values
        )

    return found
