"""Extension points: what a lower package shows of a higher one without naming it.

A package registers in its `init_app(app)`; the crm package only ever walks these lists. One
`Extensions` object belongs to one app, so that tests may build several apps side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol, cast
from uuid import UUID

from flask import Flask, current_app
from sqlalchemy import ColumnElement, Table
from sqlalchemy.orm import Session

from crm.core.bulk import BulkAction
from crm.core.viewer import Viewer
from crm.core.vocabulary import FieldKind as FieldKind
from crm.core.vocabulary import FieldMatch as FieldMatch
from crm.core.vocabulary import QueryBase as QueryBase
from crm.core.vocabulary import QueryContext as QueryContext
from crm.core.vocabulary import QueryField as QueryField
from crm.core.vocabulary import QueryRows as QueryRows
from crm.core.vocabulary import QueryTotal as QueryTotal


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
    what an emptied row is set to, in SQL. `why` says why a row may stay.
    """

    deed: Deed
    where: str = "alumnus_id in ({gone})"
    values: str = ""
    why: str = ""


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


@dataclass
class Extensions:
    """Everything registered with one app, in the order of registration unless an order is given."""

    navigation: list[NavEntry] = field(default_factory=list)
    home_cards: list[Panel] = field(default_factory=list)
    todo: list[Callable[[Session, Viewer, datetime], Iterable[Todo]]] = field(default_factory=list)
    first_steps: list[Callable[[Session, Viewer], Iterable[FirstStep]]] = field(
        default_factory=list
    )
    alumnus_panels: list[Panel] = field(default_factory=list)
    profile_panels: list[Panel] = field(default_factory=list)
    # What schools ask for now, as the public may read it.
    public_wishes: list[Callable[[Session, datetime], Iterable[PublicWish]]] = field(
        default_factory=list
    )
    settings_panels: list[Panel] = field(default_factory=list)
    # The pages of settings; those of a group stand next to each other in order.
    settings_pages: list[NavEntry] = field(default_factory=list)
    # What decides messages (an origin without its step) and may be let go to people under 18.
    origins: list[Callable[[Session], Iterable[tuple[str, str]]]] = field(default_factory=list)
    # The retention schedule, in the order in which it is shown and run.
    retention: list[Keep] = field(default_factory=list)
    # Prefix of a reference in the consent ledger → what those keys mean, in words.
    references: dict[str, Callable[[Session, Sequence[str]], Mapping[str, Reference]]] = field(
        default_factory=dict
    )
    letters: Letters | None = None
    list_columns: list[ListColumn] = field(default_factory=list)
    bulk_actions: list[BulkAction] = field(default_factory=list)
    query_fields: list[QueryField] = field(default_factory=list)
    query_rows: dict[str, QueryRows] = field(default_factory=dict)
    custom_fields: list[Callable[[Session], Mapping[str, Any]]] = field(default_factory=list)
    query_base: QueryBase | None = None
    # Given a piece of a query (`segment:key`), answers (label, address) of what keeps one with it.
    query_users: list[Callable[[Session, str], Iterable[tuple[str, str]]]] = field(
        default_factory=list
    )
    jobs: list[PeriodicJob] = field(default_factory=list)
    # What one full tick does besides: given the moment, answers how many messages it queued.
    ticks: list[Callable[[datetime], int]] = field(default_factory=list)
    checks: list[Callable[[datetime], Iterable[Check]]] = field(default_factory=list)
    metrics: list[Callable[[Session, datetime], Iterable[tuple[str, str, float]]]] = field(
        default_factory=list
    )
    merge_fields: dict[str, MergeField] = field(default_factory=dict)
    contact_grants: list[ContactGrant] = field(default_factory=list)
    send_gates: dict[str, SendGate] = field(default_factory=dict)
    # Tables computed from people's facts, in the order to delete from → which rows are those of
    # the people `{gone}` (ids) stands for.
    derived: dict[str, str] = field(default_factory=dict)
    # Every other table that names a person or holds an address, with what erasing does to it.
    personal: dict[str, Personal] = field(default_factory=dict)
    # Those of them whose rows follow a person into the record that theirs became part of.
    follow: set[str] = field(default_factory=set)
    # Table of a thing that a person has once → by which column it is the same thing, and when the
    # row `g` of the record that goes is better than `o` of the one that stays (SQL).
    better: dict[str, tuple[str, str]] = field(default_factory=dict)
    # Table that stays when a person is forgotten → what its rows of theirs are set to (SQL).
    stripped: dict[str, str] = field(default_factory=dict)
    # Told, in its transaction, that an import of people was applied.
    imported: list[Callable[[Session, int], None]] = field(default_factory=list)
    # Who said each field of a record, as plain values, for `people show` and `people export`.
    where_from: Callable[[Session, int], Mapping[str, Any]] | None = None
    # What changed a record besides files and edits: (when, by what, field → [before, after]).
    told: list[Callable[[Session, int], Iterable[tuple[datetime, str, Mapping[str, Any]]]]] = field(
        default_factory=list
    )
    # Blocks on the page of an import: `load(import_id)`.
    import_panels: list[Panel] = field(default_factory=list)
    # Kind of import → takes back what the import of that id brought, and answers how much.
    undoers: dict[str, Callable[[Session, int], int]] = field(default_factory=dict)
    # Kind of thing in the audit trail → names of those with these keys, in one query.
    object_names: dict[str, Callable[[Session, Sequence[str]], Mapping[str, str]]] = field(
        default_factory=dict
    )
    why: list[Callable[[Session, int, datetime], Iterable[str]]] = field(default_factory=list)

    def add_rows(self, *rows: QueryRows) -> None:
        """Let queries describe these rows; each app has its own list of their fields."""
        self.query_rows.update({one.key: replace(one, fields=[*one.fields]) for one in rows})

    def panels(self, panels: Sequence[Panel], *args: Any) -> list[tuple[Panel, Mapping[str, Any]]]:
        """The panels that have something to show, in order, each with its values."""
        loaded = ((panel, panel.load(*args)) for panel in sorted(panels, key=lambda p: p.order))
        return [(panel, values) for panel, values in loaded if values is not None]


def extensions(app: Flask | None = None) -> Extensions:
    """The registry of the given app, or of the current one."""
    holder = app.extensions if app is not None else current_app.extensions
    if "homecoming" not in holder:
        holder["homecoming"] = Extensions()
    return cast(Extensions, holder["homecoming"])
