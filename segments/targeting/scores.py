"""Chances that are kept: written all at once, read of anybody, by blocks of people.

A block is one row of `score_block`; see the model. Scores can be worked out again at any time, so
that erasing a person or undoing an import drops the blocks they stand in, until the next night.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Double,
    and_,
    cast,
    column,
    delete,
    func,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session, aliased

from crm.alumni.models import Alumnus
from segments.targeting.features import Matrix
from segments.targeting.matrices import moment, write_rows
from segments.targeting.models import ScoreBlock

SIZE = 128
"""So many people share a block; its row stays under 2 kB, above which values are set apart."""
NOBODY: ColumnElement[float] = cast(literal("NaN"), Double())
GONE = "no in (select g.id / 128 from ({gone}) as g (id))"
"""The blocks of the people `{gone}` stands for, as `extensions().derived` wants it."""
_each = (
    func.unnest(ScoreBlock.chances)
    .table_valued(column("chance", Double), with_ordinality="place", name="each_chance")
    .render_derived()
)
SCORES: Any = (
    select(
        (ScoreBlock.no * SIZE + _each.c.place - 1).label("alumnus_id"),
        ScoreBlock.way_key, ScoreBlock.model_id, ScoreBlock.at,
        _each.c.chance.label("chance"),
    )
    .join(_each, true()).where(_each.c.chance != NOBODY)
    .subquery("score")
)  # fmt: skip
"""A row for each person and way that is scored, for conditions on people."""


def drop(session: Session, way_key: str) -> None:
    """Forget the scores of a way."""
    session.execute(delete(ScoreBlock).where(ScoreBlock.way_key == way_key))


def keep(
    session: Session, scored: Iterable[tuple[NDArray[np.int64], Matrix]], *, way_key: str,
    model_id: int, at: datetime,
) -> int:  # fmt: skip
    """Replace the scores of a way: pairs of ascending ids and their chances; answers how many."""
    drop(session, way_key)
    parts = list(scored)
    if not parts:
        return 0
    ids = np.concatenate([part for part, _ in parts])
    numbers, starts = np.unique(ids // SIZE, return_index=True)
    chances = np.full((len(numbers), SIZE), np.nan)
    row = np.repeat(np.arange(len(numbers)), np.diff(starts, append=len(ids)))
    chances[row, ids % SIZE] = np.concatenate([part for _, part in parts])
    write_rows(
        session, "score_block", {
            "way_key": way_key.encode(), "no": numbers, "model_id": model_id.to_bytes(8, "big"),
            "at": moment(at), "chances": chances,
        },
    )  # fmt: skip
    # Else the planner takes a way that was never scored for one block, until autovacuum comes by.
    session.execute(text("analyze score_block (way_key, no)"))
    return len(ids)


def kept_of(way_key: str, model_id: int) -> tuple[Any, ColumnElement[bool], ColumnElement[float]]:
    """What to join `Alumnus` with, on what, and the kept chance (null without one) of a model."""
    block = aliased(ScoreBlock)
    same = block.way_key == way_key, block.model_id == model_id
    chance: Any = block.chances[Alumnus.id % SIZE + 1]
    return block, and_(block.no == Alumnus.id // SIZE, *same), func.nullif(chance, NOBODY)


def scores_of(session: Session, alumnus_id: int) -> list[dict[str, Any]]:
    """What is kept about one person, for themselves."""
    chance = ScoreBlock.chances[alumnus_id % SIZE + 1]
    found = select(
        ScoreBlock.way_key, ScoreBlock.model_id, ScoreBlock.at, chance.label("probability")
    )
    mine = ScoreBlock.no == alumnus_id // SIZE, chance != NOBODY
    rows = session.execute(found.where(*mine).order_by(ScoreBlock.way_key)).mappings()
    return [{"alumnus_id": alumnus_id, **row} for row in rows]
