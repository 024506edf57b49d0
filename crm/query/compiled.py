"""A query ready to run, and how many people it means."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, literal_column, select
from sqlalchemy.orm import Session

from crm.core.database import UNPREPARED, values_of
from crm.query.meaning import Meaning
from crm.query.nodes import Node


@dataclass(frozen=True)
class Compiled:
    """A query ready to run.

    `ids` selects the ids of the people; `condition` says the same of a row of alumni, the viewer's
    wall included, and `each` the same again for where few people are asked: totals are taken of
    one person in turn instead of everybody at once. `text` is the canonical form and `node` its
    tree; `fields` are the keys used (`did(` for rows), `meaning` what each word turned out to ask.
    `pieces` is for whoever makes statements of it and would have them again.
    """

    ids: Select[Any]
    condition: ColumnElement[bool]
    each: ColumnElement[bool]
    text: str
    node: Node
    fields: frozenset[str]
    meaning: Meaning
    pieces: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    def on(self, session: Session | None) -> Compiled:
        """The same query, its words looked up through that session."""
        return replace(self, meaning=self.meaning.on(session))

    def narrowed(self, more: ColumnElement[bool]) -> Compiled:
        """Those of the people meant for whom `more` holds too, a condition on `Alumnus`."""
        return replace(
            self, ids=self.ids.where(more), condition=and_(self.condition, more),
            each=and_(self.each, more), pieces={},
        )  # fmt: skip

    def piece(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` makes, kept as long as the query is."""
        if key not in self.pieces:
            self.pieces[key] = make()
        return self.pieces[key]


def count_up_to(session: Session, compiled: Compiled, limit: int = 10_000) -> tuple[int, bool]:
    """How many people the query means, counted up to `limit`, and whether there are more."""
    statement = compiled.piece(
        ("count", limit), lambda: select(up_to(compiled, limit)).execution_options(**UNPREPARED)
    )
    found = values_of(session, statement).scalar() or 0
    return min(found, limit), found > limit


def up_to(compiled: Compiled, limit: int) -> ScalarSelect[int]:
    """How many people the query means, as a piece of a statement; one above `limit` at most."""
    some = compiled.ids.order_by(None).limit(literal_column(str(limit + 1))).subquery()
    return select(func.count()).select_from(some).scalar_subquery()
