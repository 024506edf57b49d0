"""An entry of the audit trail in words: keys of the program become what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from flask_babel import format_date, format_datetime
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.accounts.deeds import UNSAID, action_words, field_words, kind_words, value_words
from crm.accounts.models import AuditEntry
from crm.accounts.words import permission_label
from crm.core.extend import extensions

NOTHING: tuple[Any, ...] = (None, "", [], {}, 0)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}.*")
PAGES = {
    "alumnus": ("people.detail", "alumnus_id"), "campaign": ("campaigns.detail", "key"),
    "event": ("events.detail", "key"), "import": ("imports.detail", "import_id"),
    "journey": ("journeys.detail", "key"), "request": ("requests.detail", "request_id"),
    "pair": ("mentoring.detail", "pair_id"),
    "school": ("schools.detail", "school_id"), "segment": ("saved.detail", "key"),
    "topic": ("consent.topic", "key"), "user": ("accounts.user", "user_id"),
}  # fmt: skip
"""Kind of thing → the endpoint of its page and the name of its argument."""
REFERS = {
    "agreed": "user", "alumnus.other": "alumnus", "alumnus_id": "alumnus", "clusters": "cluster",
    "interaction.what": "interaction kind", "bulk.what": "bulk action", "merged": "alumnus",
    "role": "role", "school.other": "school", "school_id": "school", "schools": "school",
    "school.moved.": "cluster", "topic": "topic",
}  # fmt: skip
"""Field of an entry (or area and field, or a deed and its bare before and after) → what kind of
thing the field holds keys of."""


@dataclass(frozen=True)
class Deed:
    """An entry in words: what a page shows of it."""

    at: datetime
    who: str
    did: str
    kind: str
    name: str
    page: tuple[str, dict[str, str]] | None
    changes: list[tuple[str, str, str]]
    facts: list[tuple[str, str]]


@dataclass
class Teller:
    """Says the entries of one page; `names` are those of the things that they speak of."""

    names: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def deed(self, entry: AuditEntry, who: str | None) -> Deed:
        """One entry."""
        before, after, facts = parts(entry)
        page = PAGES.get(entry.object_kind)
        thing = (entry.object_kind, entry.object_id)
        return Deed(
            at=entry.at, who=who or "Homecoming", did=action_words(entry.action),
            kind=kind_words(entry.object_kind),
            name=self.names.get(thing) or ("" if entry.object_kind == "setting" else thing[1]),
            page=(page[0], {page[1]: entry.object_id}) if page else None,
            changes=list(self.changes(entry.action, before, after)),
            facts=[
                (field_words(name), self.plain(value, refers_to(entry.action, name)))
                for name, value in facts.items()
                if name not in UNSAID and (value is False or value not in NOTHING)
            ],
        )  # fmt: skip

    def changes(self, action: str, before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
        """The fields that differ, each with what it was and what it is."""
        old, new = as_fields(before), as_fields(after)
        for name in dict.fromkeys([*old, *new]):
            was, now = old.get(name), new.get(name)
            if was == now:
                continue
            if isinstance(was, Mapping) or isinstance(now, Mapping):
                for inner, old_words, new_words in self.changes(action, was, now):
                    label = field_words(name) if name else ""
                    yield ", ".join(filter(None, (label, inner))), old_words, new_words
                continue
            kind = refers_to(action, name)
            yield field_words(name) if name else "", self.plain(was, kind), self.plain(now, kind)

    def plain(self, value: Any, kind: str = "") -> str:
        """A value as a person reads it; `kind` is what things it is the key of."""
        if value in (None, "", [], {}) and value is not False:
            return "–"
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, (list, tuple)):
            return ", ".join(self.plain(one, kind) for one in value)
        if isinstance(value, Mapping):
            said = ((k, v) for k, v in value.items() if v is False or v not in NOTHING)
            return "; ".join(f"{field_words(str(k))}: {self.plain(v)}" for k, v in said) or "–"
        return self.names.get((kind, str(value))) or spelled(str(value))


def spelled(text: str) -> str:
    """A day, a moment, or a key of the program in the reader's words; other texts as they are."""
    try:
        if DAY.fullmatch(text):
            return str(format_date(date.fromisoformat(text)))  # type: ignore[no-untyped-call]
        if MOMENT.fullmatch(text):
            return str(format_datetime(datetime.fromisoformat(text)))  # type: ignore[no-untyped-call]
    except ValueError:
        return text
    return permission_label(value_words(text))


def parts(entry: AuditEntry) -> tuple[Any, Any, dict[str, Any]]:
    """What was before, what is after, and whatever else an entry says.

    A setting keeps each of its fields as a pair of the two.
    """
    detail = dict(entry.detail)
    before, after = detail.pop("before", None), detail.pop("after", None)
    if entry.object_kind == "setting" and before is None and after is None:
        pairs = {name: pair for name, pair in detail.items() if _is_pair(pair)}
        detail = {name: value for name, value in detail.items() if name not in pairs}
        before = {name: pair[0] for name, pair in pairs.items()}
        after = {name: pair[1] for name, pair in pairs.items()}
    return before, after, detail


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2


def as_fields(value: Any) -> Mapping[str, Any]:
    """A side of a change as its fields; the one of a bare value has no name."""
    if isinstance(value, Mapping):
        return value
    return {} if value is None else {"": value}


def refers_to(action: str, name: str) -> str:
    """What kind of thing a field of a deed holds keys of, if of any."""
    exact = REFERS.get(f"{action}.{name}") or REFERS.get(f"{action.split('.')[0]}.{name}")
    return exact or REFERS.get(name, "")


def told(session: Session, found: Iterable[tuple[AuditEntry, str | None]]) -> list[Deed]:
    """Entries, each with the name of who acted, in words; one query for each kind of thing."""
    entries = list(found)
    teller = Teller(_names(session, [entry for entry, _who in entries]))
    return [teller.deed(entry, who) for entry, who in entries]


def _names(session: Session, entries: Sequence[AuditEntry]) -> dict[tuple[str, str], str]:
    """What the things are called that entries are about or speak of."""
    keys: dict[str, set[str]] = {}
    for entry in entries:
        keys.setdefault(entry.object_kind, set()).add(entry.object_id)
        before, after, facts = parts(entry)
        for fields in (as_fields(before), as_fields(after), facts):
            for name, value in fields.items():
                if kind := refers_to(entry.action, name):
                    keys.setdefault(kind, set()).update(_keys(value))
    namers = extensions().object_names
    return {
        (kind, key): str(name)
        for kind, mine in keys.items()
        if kind in namers and mine
        for key, name in namers[kind](session, sorted(mine)).items()
    }


def _keys(value: Any) -> list[str]:
    many = value if isinstance(value, list) else [value]
    return [str(one) for one in many if one not in NOTHING and not isinstance(one, (dict, list))]
