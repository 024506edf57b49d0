"""Which lines of one file are about the same person: connected through keys that they share."""

# Table and column names come from our own schema, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.imports.staging import create_stage

MAX_ROUNDS = 100
CROWD = 20
"""An address that more lines than this share tells nothing of who they are."""


def label_lines(session: Session, source: str, keys: Iterable[str], *, pairs: str = "") -> int:
    """Fill `import_label(line, label)` for the lines that share a key; answers how many do.

    `source` is a table `o` of lines joined with their stage rows `r`; each key an SQL expression on
    `r` (null: none). `pairs` selects further (line, first) edges. The label is the component's
    first line; lines alone with their keys are not listed.
    """
    create_stage(session, "import_twin", {"line": "integer", "first": "integer"})
    create_stage(session, "import_label", {"line": "integer primary key", "label": "integer"})
    for key in keys:
        session.execute(
            text(
                f"""insert into import_twin
                with keyed as (select r.line, {key} as key from {source} where {key} is not null),
                shared as (
                    select key, min(line) as first from keyed group by key having count(*) > 1
                )
                select keyed.line, shared.first from keyed join shared using (key)"""
            )
        )
    if pairs:
        session.execute(text(f"insert into import_twin {pairs}"))
    count = session.execute(
        text(
            """insert into import_label select line, line from import_twin
            union select first, first from import_twin"""
        )
    ).rowcount  # type: ignore[attr-defined]
    if count:
        session.execute(text("analyze import_twin"))
        _spread(session)
    return int(count)


def _spread(session: Session) -> None:
    """Give every line the least label it is connected to, both ways along the edges."""
    for _ in range(MAX_ROUNDS):
        moved = 0
        for mine, other in (("line", "first"), ("first", "line")):
            moved += session.execute(
                text(
                    f"""update import_label l set label = least.label from (
                        select t.{mine} as line, min(x.label) as label
                        from import_twin t join import_label x on x.line = t.{other}
                        group by t.{mine}
                    ) least where least.line = l.line and least.label < l.label"""
                )
            ).rowcount  # type: ignore[attr-defined]
        if not moved:
            return
