"""What an action on many people is: the extension point of bulk changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from crm.core.viewer import Permission, Viewer


@dataclass(frozen=True)
class BulkWork:
    """What a bulk action works with: who acts, what they chose, for which run, at what moment."""

    session: Session
    viewer: Viewer
    options: Mapping[str, Any]
    run_id: int
    at: datetime


@dataclass(frozen=True)
class BulkLook:
    """A fact of a person as expressions correlated on `Alumnus`: what a change is judged by.

    `now` is the fact as JSONB (null for none), `goal` what it is to become as it is shown; `same`
    says that nothing is to be done, `refusal` is null or why this person is left alone.
    """

    now: ColumnElement[Any]
    goal: ColumnElement[Any]
    same: ColumnElement[bool]
    refusal: ColumnElement[Any] | None = None


@dataclass(frozen=True)
class BulkAction:
    """Something that can be done to many people at once.

    `form` answers a form with `options()`; `said` the action in words; `look` may raise what makes
    it impossible. `write` does it to the people of these ids (a batch, their rows locked, none of
    them the same or refused) in a fixed number of statements. `back` takes it back where the fact
    is still what `write` left; None for what only a person's own word may loosen (law 3). What it
    was is in `bulk_line.before`. `shown` says a fact in words. `touches`: it is a change of record.
    `permission` is what it asks of an account besides editing people; `reasons` are the words for
    its refusals.
    """

    key: str
    label: Any
    order: int
    form: Callable[[Session, Viewer], Any]
    said: Callable[[Session, Mapping[str, Any]], str]
    look: Callable[[BulkWork], BulkLook]
    write: Callable[[BulkWork, Sequence[int]], None]
    back: Callable[[BulkWork, Sequence[int]], None] | None
    shown: Callable[[Mapping[str, Any], Any], Any]
    touches: bool = True
    permission: Permission | None = None
    reasons: Mapping[str, Any] = field(default_factory=dict)

    def open_to(self, viewer: Viewer) -> bool:
        """Whether an account that edits people may do this to them."""
        return self.permission is None or viewer.may(self.permission)
