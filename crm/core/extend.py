"""Extension points: what a lower package shows of a higher one without naming it.

A package registers in its `init_app(app)`; the crm package only ever walks these lists. One
`Extensions` object belongs to one app, so that tests may build several apps side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, cast

from flask import Flask, current_app
from sqlalchemy.orm import Session

from crm.core.bulk import BulkAction
from crm.core.points import Check as Check
from crm.core.points import ContactGrant as ContactGrant
from crm.core.points import Deed as Deed
from crm.core.points import FirstStep as FirstStep
from crm.core.points import Keep as Keep
from crm.core.points import Letters as Letters
from crm.core.points import ListColumn as ListColumn
from crm.core.points import MergeField as MergeField
from crm.core.points import NavEntry as NavEntry
from crm.core.points import Panel as Panel
from crm.core.points import PeriodicJob as PeriodicJob
from crm.core.points import Personal as Personal
from crm.core.points import PublicWish as PublicWish
from crm.core.points import Reaction as Reaction
from crm.core.points import Recipient as Recipient
from crm.core.points import Reference as Reference
from crm.core.points import ReportEntry as ReportEntry
from crm.core.points import SendGate as SendGate
from crm.core.points import Todo as Todo
from crm.core.viewer import Viewer
from crm.core.vocabulary import FieldKind as FieldKind
from crm.core.vocabulary import FieldMatch as FieldMatch
from crm.core.vocabulary import QueryBase as QueryBase
from crm.core.vocabulary import QueryContext as QueryContext
from crm.core.vocabulary import QueryField as QueryField
from crm.core.vocabulary import QueryRows as QueryRows
from crm.core.vocabulary import QueryTotal as QueryTotal


@dataclass
class Extensions:
    """Everything registered with one app, in the order of registration unless an order is given."""

    navigation: list[NavEntry] = field(default_factory=list)
    reports: list[ReportEntry] = field(default_factory=list)
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
    # Queries that were put together, by what they were put together from (`crm.query.kept`).
    queries: dict[Hashable, Any] = field(default_factory=dict)
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
    # What a person's own file calls it → rows about a person that stand in rows of many people.
    kept_among_others: dict[str, Callable[[Session, int], list[dict[str, Any]]]] = field(
        default_factory=dict
    )
    # Every other table that names a person or holds an address, with what erasing does to it.
    personal: dict[str, Personal] = field(default_factory=dict)
    # Those of them whose rows follow a person into the record that theirs became part of.
    follow: set[str] = field(default_factory=set)
    # Table of a thing that a person has once → by which column it is the same thing, and when the
    # row `g` of the record that goes is better than `o` of the one that stays (SQL).
    better: dict[str, tuple[str, str]] = field(default_factory=dict)
    # Table → when its row `g` of the record that goes is the same thing as the row `o` of the one
    # that stays, though no rule of the table says so (SQL): it stays behind.
    same: dict[str, str] = field(default_factory=dict)
    # A merge of these two records was taken back: what its viewer must know besides.
    unmerged: list[Callable[[Session, Viewer, int, int], Iterable[str]]] = field(
        default_factory=list
    )
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
