"""The columns of a model beyond the event history: ways to help, and fields marked for targeting.

A model remembers which it learnt (`to_json`), and is only ever asked with the same. Custom fields
have no history: their value of today is taken for every case, which is why a district marks them
one by one and a value that only came with the answer must not be marked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import ColumnElement, Double, case, cast, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import CTE

from crm.alumni.models import Alumnus, Way
from crm.imports.models import CustomField, CustomKind
from segments.targeting.features import COLUMNS, NEVER

MOST_VALUES = 12
"""So many of the commonest values of a text become columns; the rest share none."""
_PROTECTED = """age birth birthday born citizenship color country disability disabled dob ell
    english ethnic ethnicity faith frl gender hispanic iep immigrant immigration income language
    latino lunch marital married military nation nationality orientation origin postal poverty
    pregnant pronoun pronouns race racial religion religious sex sexual tribe veteran visa
    zip zipcode"""
PROTECTED = frozenset(_PROTECTED.split())
NUMBER = r"^-?\d{1,15}(\.\d+)?$"
DAY = r"^\d{4}-\d{2}-\d{2}$"


@dataclass(frozen=True)
class Columns:
    """Which columns follow `COLUMNS`: a way each, then those of each marked field."""

    ways: tuple[str, ...] = ()
    fields: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns of a matrix, in order."""
        return (*COLUMNS, *(f"way.{way}" for way in self.ways), *(
            name for key, kind, values in self.fields for name in _names(key, kind, values)
        ))  # fmt: skip

    def of(self, cases: CTE) -> Mapping[str, ColumnElement[Any]]:
        """An expression for each of them, for cases with columns `at` and `way`."""
        ways = {f"way.{way}": case((cases.c.way == way, 1), else_=0) for way in self.ways}
        return {**ways, **self.said(cases)}

    def said(self, cases: CTE) -> Mapping[str, ColumnElement[Any]]:
        """Those of marked fields alone, which do not hang on the way."""
        found: dict[str, ColumnElement[Any]] = {}
        for key, kind, values in self.fields:
            found |= _values(key, kind, values, cases)
        return found

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return {"ways": list(self.ways), "fields": [[k, t, list(v)] for k, t, v in self.fields]}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        fields = tuple((str(k), str(t), tuple(map(str, v))) for k, t, v in body["fields"])
        return cls(tuple(map(str, body["ways"])), fields)


def columns_now(session: Session) -> Columns:
    """The columns that a model trained now has."""
    ways = tuple(session.scalars(select(Way.key).order_by(Way.key)))
    marked = select(CustomField).where(CustomField.targeting).order_by(CustomField.key)
    fields = [
        (field.key, field.kind.value, _commonest(session, field))
        for field in session.scalars(marked)
        if not is_protected(field.key)
    ]
    return Columns(ways, tuple(fields))


def is_protected(key: str) -> bool:
    """Whether a field names a protected attribute or a common stand-in: never a feature."""
    return bool(PROTECTED & set(re.split(r"[^a-z]+", key.lower())))


def _commonest(session: Session, field: CustomField) -> tuple[str, ...]:
    if field.kind is not CustomKind.TEXT:
        return ()
    value = Alumnus.custom[field.key].astext
    counted = (
        select(value.label("value"), func.count().label("n"))
        .where(value.is_not(None), value != "")
        .group_by(value)
        .order_by(func.count().desc(), value)
        .limit(MOST_VALUES)
    )
    return tuple(row.value for row in session.execute(counted))


def _names(key: str, kind: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if kind == CustomKind.TEXT:
        return tuple(f"custom.{key}={value}" for value in values)
    return (f"custom.{key}", f"custom.{key}?")


def _values(
    key: str, kind: str, values: tuple[str, ...], cases: CTE
) -> dict[str, ColumnElement[Any]]:
    """A text: one column a value. Others: the value, and whether there is none."""
    said: ColumnElement[Any] = Alumnus.custom[key].astext
    names = _names(key, kind, values)
    if kind == CustomKind.TEXT:
        return {n: case((said == v, 1), else_=0) for n, v in zip(names, values, strict=True)}
    known: ColumnElement[bool] = said.in_(["yes", "no"])
    value: ColumnElement[Any] = case((said == "yes", 1), else_=0)
    if kind == CustomKind.DATE:
        known = said.regexp_match(DAY)
        days = func.extract("epoch", cases.c.at - func.to_date(said, "YYYY-MM-DD")) / 86_400
        value = case((known, func.least(func.greatest(days, 0), NEVER)), else_=literal(NEVER))
    elif kind == CustomKind.NUMBER:
        known = said.regexp_match(NUMBER)
        value = case((known, cast(said, Double())), else_=literal(0.0))
    return {names[0]: value, names[1]: case((known, 0), else_=1)}
