"""What the query language is made of: fields, rows, and what a query asks of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Session

from crm.core.viewer import Viewer


class FieldKind(StrEnum):
    """How the value after `field:` is read."""

    TEXT = "text"
    CHOICE = "choice"
    NUMBER = "number"
    AMOUNT = "amount"
    DATE = "date"
    FLAG = "flag"
    # A text, or a range of numbers or dates: whatever is written.
    ANY = "any"


@dataclass(frozen=True)
class QueryContext:
    """What a query is compiled for: who asks (their scope is added by the compiler) and when.

    `trail` names the saved queries that led here, so that none contains itself; `budget` is shared
    by all of them and counts down the terms that one query may still grow to.
    """

    session: Session
    viewer: Viewer
    at: datetime
    trail: tuple[str, ...] = ()
    budget: list[int] = field(default_factory=lambda: [500], compare=False)


@dataclass(frozen=True)
class QueryBase:
    """What every query selects from: the column of people's ids and the wall around them."""

    id: ColumnElement[int] | InstrumentedAttribute[int]
    visible: Callable[[Viewer], ColumnElement[bool]]


@dataclass(frozen=True)
class FieldMatch:
    """What a query asks of a field: a closed range, whose ends are equal for a single value.

    Ends are text (TEXT, CHOICE), `int` (NUMBER), `Decimal` (AMOUNT), aware datetimes (DATE: `low`
    inclusive, `high` exclusive; `90d` means from 90 days before the moment on, `+90d` until 90 days
    after it) or None for an open end. FLAG has neither. `exact` says that the value was quoted;
    `name` is what followed the dot of a field whose key ends in one (`custom.`).
    """

    low: Any = None
    high: Any = None
    exact: bool = False
    name: str = ""


@dataclass(frozen=True)
class QueryField:
    """A field of the query language.

    `condition` answers a condition correlated on `Alumnus.id` (normally an `exists`), never a list
    of ids. `choices` are the known values by key (`ordered` if `a..b` makes sense on them), loaded
    for completion and for errors that suggest the nearest; a TEXT field may take others too.
    `aliases` are other names of the field. The key of a FLAG is whole: `is:deceased`, `has:email`.
    A key that ends in a dot stands for every field that begins so, and `names` are those that are
    known; the rest arrives as `FieldMatch.name`. A condition may raise `Invalid`.

    `says` is what a sentence says of people who match, after “people who”: “live in %(value)s”.
    `ahead`: its dates may lie in the future, so that an age such as `90d` ends at the moment.
    """

    key: str
    label: Any
    kind: FieldKind
    condition: Callable[[FieldMatch, QueryContext], ColumnElement[bool]]
    choices: Callable[[Session], Mapping[str, Any]] | None = None
    ordered: bool = False
    aliases: tuple[str, ...] = ()
    example: str = ""
    says: Any = ""
    ahead: bool = False
    names: Callable[[Session], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class QueryTotal:
    """A figure over all rows of a person, such as how many; `figure` is an SQL aggregate.

    `none` says that somebody without any such row counts as 0 (`times:0`, `times:..3`).
    """

    key: str
    label: Any
    kind: FieldKind
    figure: Callable[[], ColumnElement[Any]]
    none: bool = False


@dataclass(frozen=True)
class QueryRows:
    """Rows kept about people, of which a query describes one: `did(kind:gift amount:100..)`.

    `person` is the column with the person's id; `belongs` answers what else makes a row count, with
    joins. `fields` are conditions on the row instead of on the person; `default` is the key of
    the one that a bare word asks. Higher packages may add to `fields`. `says` stands after “people
    who”: “have an interaction”.
    """

    key: str
    label: Any
    says: Any
    person: ColumnElement[Any] | InstrumentedAttribute[Any]
    fields: list[QueryField]
    belongs: Callable[[], Sequence[ColumnElement[bool]]] = tuple
    default: str = ""
    totals: tuple[QueryTotal, ...] = ()
    example: str = ""
