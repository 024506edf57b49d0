"""What may be registered at an extension point: each kind of thing, and what it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Table
from sqlalchemy.orm import Session

from crm.core.viewer import Permission, Viewer


@dataclass(frozen=True)
class NavEntry:
    """A line of the main navigation; `permission` is what its page asks for.

    Entries of the same `group` fold under its word, where there is more than one of them.
    """

    endpoint: str
    label: Any
    icon: str
    order: int
    permission: str
    group: Any = ""


@dataclass(frozen=True)
class ReportEntry:
    """A report on the page that lists them; `about` says in a sentence what it tells."""

    endpoint: str
    label: Any
    about: Any
    order: int
    permission: Permission


@dataclass(frozen=True)
class Panel:
    """A block on a page: `load` gives the template its values, or None to leave the block out."""

    key: str
    template: str
    order: int
    load: Callable[..., Mapping[str, Any] | None]


@dataclass(frozen=True)
class PeriodicJob:
    """Work that the clock knocks for; `run` is idempotent and commits what it does itself."""

    key: str
    every_seconds: int
    run: Callable[[datetime], object]


@dataclass(frozen=True)
class Check:
    """One finding of `doctor`: `state` is ok, warn or fail; `advice` says what to do next."""

    name: str
    state: str
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Todo:
    """A line of "what needs me today": `count` things behind `href`; a count of 0 is left out.

    `tone` is good, warn, bad, info or quiet; a lower `order` stands higher. `label` says what to do
    with them, without the number: "requests wait for approval".
    """

    label: Any
    count: int
    href: str
    tone: str = "info"
    order: int = 100


@dataclass(frozen=True)
class FirstStep:
    """A step that a fresh installation takes before its home page has anything to show."""

    label: Any
    text: Any
    href: str
    done: bool
    order: int


@dataclass(frozen=True)
class PublicWish:
    """What a school asks for, fit to be read by anybody: no names, no free words, months only.

    `way` and `subject` are keys, `grades` and `place` words for the reader, `month` the first day
    of the month in which it is wanted.
    """

    school_id: int
    school: str
    way: str
    way_label: str
    subject_label: str
    grades: Any
    place: Any
    places: int
    month: date | None


@dataclass(frozen=True)
class Reference:
    """What a reference leads to: words for the reader, and an address where there is a page."""

    text: str
    href: str = ""


class Deed(StrEnum):
    """What erasing a person does to the rows of a table."""

    DELETED = "deleted"
    EMPTIED = "emptied"
    KEPT = "kept"


@dataclass(frozen=True)
class Personal:
    """A table that names people or holds addresses of theirs, and what erasing does to its rows.

    `where` is the condition for the rows of the people that `{gone}` (ids) stands for; `values`
    what an emptied row is set to, in SQL. `why` says why a row may stay. With `told` off the row is
    no part of the file that people get about themselves: it is about many.
    """

    deed: Deed
    where: str = "alumnus_id in ({gone})"
    values: str = ""
    why: str = ""
    told: bool = True


@dataclass(frozen=True)
class Keep:
    """How long one kind of rows is kept, and what happens to them then.

    `age` is the moment a row is counted from; `condition` says which rows are meant and, for rows
    that are emptied, leaves out those that are empty already. `values` are what a row is set to;
    None deletes it. `person` is the column that names whose row it is, so that a legal hold is
    respected. The district chooses `days` between `least` and `most`; equal ones are fixed.
    """

    key: str
    label: Any
    reason: Any
    table: Table
    age: Any
    days: int
    least: int
    most: int
    condition: ColumnElement[bool] | None = None
    values: Mapping[str, Any] | None = None
    person: Any = None


@dataclass(frozen=True)
class ListColumn:
    """A column of the list of people: `value` is read with each person, `words` tell it.

    `value` is a scalar correlated on the id of the table that queries select from; None in it is
    nothing to tell.
    """

    key: str
    label: Any
    value: ColumnElement[Any]
    words: Callable[[Any], Any] = str

    def told(self, value: Any) -> str | None:
        """A value in words."""
        return None if value is None else str(self.words(value))


@dataclass(frozen=True)
class Recipient:
    """What a merge field may look at: one claimed message and the person it goes to."""

    message_id: UUID
    alumnus_id: int | None
    contact_point_id: int | None
    address: str
    language: str
    link_epoch: int
    merge: Mapping[str, Any]


@dataclass(frozen=True)
class MergeField:
    """A word that content may use as `{{ key }}`.

    `values` answers one text for each recipient, in order, in at most a fixed number of queries.
    `is_link` marks addresses, which may stand in a Markdown link or as a button.
    """

    key: str
    label: Any
    sample: str
    values: Callable[[Session, Sequence[Recipient], datetime], Sequence[str]]
    is_link: bool = False


# Given message ids whose origin starts with the prefix, answers those that must not go, and why.
SendGate = Callable[[Session, Sequence[UUID], datetime], Mapping[UUID, str]]
# Given the viewer, a condition on `alumnus.id`: whose contact data this viewer may see besides.
ContactGrant = Callable[[Viewer], ColumnElement[bool]]
# Told that messages ended (reason given); called in the transaction that ended them.
Reaction = Callable[..., None]


class Letters(Protocol):
    """How the lower areas mail somebody a shipped content; the links area registers it."""

    def __call__(
        self,
        session: Session,
        content_key: str,
        *,
        key: str,
        to_address: str,
        language: str,
        merge: Mapping[str, str],
        origin: str,
        at: datetime,
        expires_at: datetime | None = None,
    ) -> None:
        """Queue the letter in the caller's transaction; `key` makes a repetition harmless."""
