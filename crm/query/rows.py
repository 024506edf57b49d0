"""`did(kind:gift when:1y times:2..)`: one row that all of it describes, or how many of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, not_, select

from crm.core.extend import (
    FieldKind,
    FieldMatch,
    QueryBase,
    QueryContext,
    QueryField,
    QueryRows,
    QueryTotal,
)
from crm.query.conditions import within
from crm.query.errors import QueryError
from crm.query.nodes import All, Node, Rows, Term, all_of, terms

Condition = ColumnElement[bool]


def total_fields(rows: QueryRows) -> Iterator[QueryField]:
    """The totals of rows as fields; what they answer belongs into a HAVING."""
    for total in rows.totals:
        yield QueryField(total.key, total.label, total.kind, _having(total))


def _having(total: QueryTotal) -> Any:
    def condition(match: FieldMatch, context: QueryContext) -> Condition:
        return within(total.kind, total.figure(), match)

    return condition


def split(rows: QueryRows, node: Rows) -> tuple[Node, list[Term]]:
    """What describes one row, and the totals; raises `QueryError` where a total stands inside."""
    keys = {total.key for total in rows.totals}
    items = node.item.items if isinstance(node.item, All) else (node.item,)
    totals = [item for item in items if isinstance(item, Term) and item.field in keys]
    single: Node = all_of(item for item in items if item not in totals)
    for term in terms(single):
        if term.field in keys:
            raise QueryError(
                "%(key)s: counts all rows together; write it beside the other conditions of "
                "%(row)s(…), not after a minus or within brackets.",
                position=term.place.position, length=term.place.length, key=term.field,
                row=node.name,
            )  # fmt: skip
    return single, totals


def rows_condition(
    base: QueryBase, rows: QueryRows, single: Condition, having: list[Condition], *, none: bool
) -> tuple[Condition, Condition]:
    """Has such a row; with totals: such rows that together come to them.

    Answers the condition in two forms. The first takes totals of everybody at once, since a count
    for each of a million people in turn would take longer than all of them together; the second
    counts for one person, which is less where few are asked. `none`: people without any such row
    match too.
    """
    mine = [*rows.belongs(), single]
    if not having:
        has = exists().where(rows.person == base.id, *mine)
        return has, has
    each = exists(select(1).where(rows.person == base.id, *mine).having(and_(*having)))
    people: Any = select(rows.person.label("id")).where(rows.person.is_not(None), *mine)
    wanted = not_(and_(*having)) if none else and_(*having)
    found = people.group_by(rows.person).having(wanted).subquery()
    # Not IN, whose opposite compares each person with each of the found.
    together = exists().where(found.c.id == base.id)
    return (not_(together) if none else together), each


def takes_none(rows: QueryRows, totals: list[tuple[str, list[FieldMatch]]]) -> bool:
    """Whether the totals are such as hold for somebody who has no row at all."""
    counting = {total.key for total in rows.totals if total.none}
    return bool(totals) and all(
        key in counting and any(_holds_zero(match) for match in matches) for key, matches in totals
    )


def _holds_zero(match: FieldMatch) -> bool:
    return (match.low is None or match.low <= 0) and (match.high is None or match.high >= 0)


def times(label: Any, key: str = "times") -> QueryTotal:
    """How many rows there are."""
    return QueryTotal(key, label, FieldKind.NUMBER, func.count, none=True)
