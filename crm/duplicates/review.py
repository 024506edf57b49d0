"""Two records as a reviewer sees them: fact beside fact, what differs, and what would follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from crm.alumni.people import record_of
from crm.duplicates import followers, queries
from crm.duplicates.merging import FLAGS, TAKEN
from crm.duplicates.models import DuplicatePair
from crm.duplicates.words import FIELDS, FLAG_WORDS, ROWS
from crm.imports.belongings import addresses_from, schools_from
from crm.imports.provenance import Said, where_from
from crm.web.i18n import CONTENT_LANGUAGES

PREFIX = "field-"
Lines = tuple[Any, ...]
Told = tuple[Said | None, ...]


@dataclass(frozen=True)
class Row:
    """One fact of both: texts and days, line by line. `field` can be chosen.

    `said` has by side who said each of the lines, as far as that is kept.
    """

    label: Any
    first: Lines
    second: Lines
    field: str = ""
    said: tuple[Told, Told] = ((), ())

    @property
    def mark(self) -> str:
        """same, differ, first or second (only that one has it)."""
        if self.first == self.second:
            return "same"
        if self.first and self.second:
            return "differ"
        return "first" if self.first else "second"


def rows_of(session: Session, pair: DuplicatePair) -> list[Row]:
    """Every fact that either record holds, in the order of a person's page."""
    ids = (pair.first_id, pair.second_id)
    one, other = (record_of(session, alumnus_id) for alumnus_id in ids)
    passed = queries.last_contacts(session, ids)
    for record, alumnus_id in zip((one, other), ids, strict=True):
        record["passed"], record["last"] = passed.get(alumnus_id, (None, None))
    custom = sorted({*one["custom"], *other["custom"]})
    told = [_told(session, alumnus_id) for alumnus_id in ids]
    rows = [
        *(Row(label, _shown(name, one), _shown(name, other), name,
              ((told[0].get(name),), (told[1].get(name),)))
          for name, label in FIELDS.items()),
        *(_joined(label, tell(one), tell(other), told) for label, tell in _beside()),
        *(Row(key, _shown(key, one["custom"]), _shown(key, other["custom"])) for key in custom),
    ]  # fmt: skip
    return [row for row in rows if row.first or row.second]


def _told(session: Session, alumnus_id: int) -> dict[str, Said]:
    """Who said the fields of a record by their names, its schools and addresses by their texts."""
    belongings = [*schools_from(session, alumnus_id), *addresses_from(session, alumnus_id)]
    fields = {standing.field: standing.origin for standing in where_from(session, alumnus_id)}
    return {**{one.text: one.said for one in belongings}, **fields}


def _joined(label: Any, one: Lines, other: Lines, told: Sequence[Mapping[str, Said]]) -> Row:
    first, second = (
        tuple(said.get(str(text)) for text in texts)
        for said, texts in zip(told, (one, other), strict=True)
    )
    return Row(label, one, other, said=(first, second))


def _beside() -> list[tuple[Any, Callable[[Mapping[str, Any]], Lines]]]:
    """What stands beside the fields and is never chosen: it is joined."""
    return [
        (_("Marks"), lambda record: tuple(FLAG_WORDS[name] for name in FLAGS if record[name])),
        (_("Schools"), _schools),
        (_("Addresses"), _addresses),
        (_("Offers and subjects"), _interests),
        (_("Ids elsewhere"), lambda record: tuple(record["external_ids"])),
        (_("Entries of the timeline"), lambda record: _shown("passed", record)),
        (_("Last contact"), lambda record: _shown("last", record)),
        (_("Added"), lambda record: _shown("created_at", record)),
    ]


def chosen(form: Mapping[str, str], kept: str) -> list[str]:
    """The fields for which the side that goes was chosen; `kept` is first or second."""
    return sorted(name for name in TAKEN if form.get(PREFIX + name, kept) not in ("", kept))


def what_follows(session: Session, pair: DuplicatePair) -> list[tuple[Any, int, int]]:
    """(words, rows that follow, rows the other has already) if the second became the first's."""
    counted = followers.counts(session, pair.first_id, pair.second_id)
    return [(ROWS.get(table, table.replace("_", " ")), *both) for table, both in counted.items()]


def _shown(name: str, record: Mapping[str, Any]) -> Lines:
    value = record.get(name)
    if value is None or value in ("", False):
        return ()
    if name == "language":
        return (str(CONTENT_LANGUAGES.get(value, value)),)
    return (value if isinstance(value, date) else str(value),)


def _schools(record: Mapping[str, Any]) -> Lines:
    return tuple(
        " ".join(str(part) for part in (s["school"], s["class_year"]) if part)
        for s in record["schoolings"]
    )


def _addresses(record: Mapping[str, Any]) -> Lines:
    return tuple(sorted(c["value"].replace("\n", ", ") for c in record["contact_points"]))


def _interests(record: Mapping[str, Any]) -> Lines:
    return tuple(i["key"].replace("_", " ") for i in record["interests"])
