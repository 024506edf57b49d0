"""Chance that stays: the same person always falls on the same side, in Python as in SQL.

A salt and a person's id make a whole number from 0 up to 2³² (the first 32 bits of their MD5), so
that nothing has to be drawn, kept or repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, literal
from sqlalchemy.dialects.postgresql import BIT

WHOLE = 2**32


def lot(salt: str, alumnus_id: int) -> int:
    """The person's lot under a salt, from 0 to 2³² - 1."""
    digest = hashlib.md5(f"{salt}:{alumnus_id}".encode(), usedforsecurity=False)
    return int(digest.hexdigest()[:8], 16)


def lot_of(salt: str, alumnus_id: ColumnElement[int]) -> ColumnElement[int]:
    """`lot` as an expression over a column of ids."""
    digest = func.md5(func.concat(literal(f"{salt}:"), alumnus_id))
    return cast(cast(func.concat("x", func.left(digest, 8)), BIT(32)), BigInteger)


def share_of(lot: ColumnElement[int], weights: Sequence[int]) -> ColumnElement[Any]:
    """The number, from 1, of the share that a lot falls into, as text."""
    total = sum(weights)
    bounds = [upto * WHOLE // total for upto in accumulate(weights)]
    arms = [(lot < literal(b, BigInteger), literal(str(n))) for n, b in enumerate(bounds[:-1], 1)]
    return case(*arms, else_=literal(str(len(weights))))
