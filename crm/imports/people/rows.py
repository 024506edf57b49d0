"""Rows of a people file as staged lines, by the plan alone.

Works on columns of a batch, so that a million lines cost little Python: what repeats is looked up.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from datetime import date
from typing import Any

from nameparser import HumanName

from crm.alumni.names import family_keys, name_keys, sort_keys, words
from crm.imports.mapping import Plan
from crm.imports.people.cells import Cells, Fault, faulting
from crm.imports.people.contacts import Contacts
from crm.imports.people.couples import leave_couples
from crm.imports.people.schema import Schema
from crm.imports.people.schooling import Schoolings
from crm.imports.people.seeing import digests
from crm.imports.reader import Batch, Table
from crm.imports.staging import Progress, text_block
from crm.imports.targets import custom_name
from crm.imports.values import Cache, parse_class_year, parse_date, parse_flag, parse_language

MAX_ID = 100
NAMES = ("given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name")
PLAIN = ("city", "state", "postal_code", "job_title", "employer", "field_of_work", "college")
STAFF = frozenset(
    [
        "teacher",
        "staff",
        "faculty",
        "employee",
        "administrator",
        "admin",
        "principal",
        "counselor",
        "parent",
        "guardian",
        "aide",
        "substitute",
        "coach",
        "mother",
        "father",
        "relative",
    ]
)
_DAMAGED = re.compile(r"\d(\.\d+)?e\+?\d+", re.IGNORECASE)
_SEPARATORS = re.compile(r"[;,|/]+")


class Rows:
    """Turns batches of a table into staged lines."""

    def __init__(
        self,
        plan: Plan,
        schema: Schema,
        table: Table,
        *,
        schools: Mapping[tuple[str, str], int],
        words_of: Mapping[str, Mapping[str, str]],
        customs: Mapping[str, Cache[Any]],
        today: date,
    ) -> None:
        self.plan, self.schema, self.table = plan, schema, table
        self.words_of, self.customs = words_of, customs
        self.dates = faulting(lambda text: parse_date(text, today=today))
        self.years = faulting(lambda text: parse_class_year(text, today=today))
        self.languages = faulting(parse_language)
        self.flags = faulting(parse_flag)
        self.contacts = Contacts(schema, plan.school_domains)
        self.schoolings = Schoolings(plan, schools, self.dates, self.years, today)
        self.today = today

    @property
    def unknown_schools(self) -> Counter[str]:
        """How many lines named each school that we do not know."""
        return self.schoolings.unknown

    def staged(
        self, known: Container[int] | None = None, progress: Progress | None = None
    ) -> Iterator[str]:
        """The table without `known` lines, batch by batch, as text for COPY into the stage."""
        for batch in self.table.batches():
            yield self.batch(batch if known is None else batch.without(known))
            if progress:
                progress(len(batch))

    def batch(self, batch: Batch) -> str:
        """One batch with the columns of `schema.copied`."""
        names = self.schema.copied
        lines, reasons = zip(*batch.faults, strict=True) if batch.faults else ((), ())
        nothing = [None] * len(lines)
        rest = [nothing] * (len(names) - 3)
        bad = text_block([lines, ["reject"] * len(lines), reasons, *rest])
        if not batch.rows:
            return bad
        cells = Cells(self.plan, self.table.header, batch)
        found = self._columns(cells)
        found["line"] = batch.lines
        found["digest"] = digests(batch.rows) if self.schema.systems else cells.blank()
        self._judge(cells, found)
        found["fate"], found["reason"], found["note"] = (cells.blank() for _ in range(3))
        for row, (fate, reason) in cells.fates.items():
            found["fate"][row], found["reason"][row] = fate, reason
        for row, notes in cells.notes.items():
            found["note"][row] = "; ".join(notes)
        return text_block([found[name] for name in names]) + bad

    def _columns(self, cells: Cells) -> dict[str, list[Any]]:
        found = self._names(cells)
        for name in PLAIN:
            texts = cells.texts(name)
            found[name] = [t or None for t in texts] if texts else cells.blank()
        found["birth_date"] = self._birth_dates(cells)
        found["language"] = cells.parsed("language", self.languages)
        found.update(self.schoolings.fill(cells))
        found.update(self._flags(cells))
        towns = [
            " ".join(part for part in (f"{city}," if city else "", state, code) if part)
            for city, state, code in zip(
                found["city"], found["state"], found["postal_code"], strict=True
            )
        ]
        found.update(self.contacts.fill(cells, towns))
        for system in self.schema.systems:
            found[self.schema.id_column(system)] = self._ids(cells, f"id.{system}")
        for target in ("ways", "subjects"):
            found[target] = self._choices(cells, target)
        found["custom"] = self._custom(cells)
        return found

    def _names(self, cells: Cells) -> dict[str, list[Any]]:
        columns = [cells.texts(name) or [""] * cells.count for name in NAMES]
        whole = cells.texts("name.full")
        if whole:
            _split_names(columns, whole)
        keys = name_keys(*columns)
        sorts = sort_keys(columns[0], columns[2])
        families = family_keys(columns[0], columns[2])
        found: dict[str, list[Any]] = {
            name: [text or None for text in column]
            for name, column in zip(NAMES, columns, strict=True)
        }
        return {**found, "name_key": keys, "sort_key": sorts, "family_key": families}

    def _birth_dates(self, cells: Cells) -> list[Any]:
        days = cells.parsed("birth_date", self.dates)
        for row, day in enumerate(days):
            if day is not None and day > self.today:
                cells.note(row, f"{cells.title('birth_date')} lies in the future; left out")
                days[row] = None
        return days

    def _flags(self, cells: Cells) -> dict[str, list[Any]]:
        """Flags only ever tighten: a no says nothing, and what cannot be read counts as a yes."""
        told = {
            name: self._flag(cells, name)
            for name in ("ferpa_block", "deceased", "do_not_contact", "do_not_email", "opt_out")
        }
        left = told.pop("opt_out")
        suppress = told.pop("do_not_email")
        opted = zip(*map(cells.text, self.plan.of("opt_in")), strict=True)
        refused = [any(self.flags[text] is False for text in row) for row in opted]
        refused = refused or cells.blank()
        told["opt_out"] = [
            (a or b or c) or None for a, b, c in zip(left, suppress, refused, strict=True)
        ]
        told["suppress"] = suppress
        return told

    def _flag(self, cells: Cells, target: str) -> list[Any]:
        """True where any of the target's columns says so."""
        columns = [self._marks(cells, index, target) for index in self.plan.of(target)]
        if len(columns) < 2:
            return columns[0] if columns else cells.blank()
        return [any(row) or None for row in zip(*columns, strict=True)]

    def _marks(self, cells: Cells, index: int, target: str) -> list[Any]:
        texts = cells.text(index)
        if table := self.plan.values.get(target):
            other = table.get("*")
            texts = [t and table.get(t.casefold(), t if other is None else other) for t in texts]
        values = list(map(self.flags.__getitem__, texts))
        for row, value in enumerate(values):
            if value.__class__ is Fault:
                cells.note(row, f"{cells.titles[index]} “{texts[row][:40]}” was read as yes")
                values[row] = True
        return [value or None for value in values]

    def _ids(self, cells: Cells, target: str) -> list[Any]:
        texts = cells.texts(target) or [""] * cells.count
        title = cells.title(target)
        if signs := self.plan.layout.trimmed.get(target):
            texts = [text.strip(signs) for text in texts]
        joined = "".join(texts)
        odd = "+" in joined or (len(joined) > MAX_ID and max(map(len, texts)) > MAX_ID)
        for row, text in enumerate(texts if odd else ()):
            if len(text) > MAX_ID:
                cells.fates.setdefault(row, ("reject", f"“{title}” is too long for an id"))
            elif "+" in text and _DAMAGED.fullmatch(text):
                reason = (
                    f"“{title}” {text} is an id that a spreadsheet turned into a number; export it "
                    "as text"
                )
                cells.fates.setdefault(row, ("reject", reason))
        return [text or None for text in texts]

    def _choices(self, cells: Cells, target: str) -> list[Any]:
        """Ways or subjects as keys joined by commas."""
        texts = cells.texts(target)
        if texts is None:
            return cells.blank()
        known = self.words_of[target]
        found = cells.blank()
        for row, text in enumerate(texts):
            keys = []
            for word in _SEPARATORS.split(text) if text else ():
                if key := known.get(" ".join(words(word))):
                    keys.append(key)
                elif word.strip():
                    cells.note(row, f"{cells.title(target)} “{word.strip()[:40]}” is not known")
            found[row] = ",".join(dict.fromkeys(keys)) or None
        return found

    def _custom(self, cells: Cells) -> list[Any]:
        """The custom fields of each row as JSON text; blank ones are left out."""
        fields = {t: name for t in self.plan.targets() if (name := custom_name(t))}
        if not fields:
            return cells.blank()
        columns = {n: cells.parsed(target, self.customs[n]) for target, n in fields.items()}
        rows = (
            {name: text for name, text in zip(columns, row, strict=True) if text}
            for row in zip(*columns.values(), strict=True)
        )
        return [json.dumps(row, ensure_ascii=False) if row else None for row in rows]

    def _judge_roles(self, cells: Cells) -> None:
        """Skip staff, parents, and what the layout says is nobody."""
        table = self.plan.values.get("role", {})
        for index in self.plan.of("role"):
            for row, role in enumerate(cells.text(index)):
                if not role:
                    continue
                if STAFF & set(words(role)):
                    why = f"is a {role.lower()[:40]}, not a student"
                elif table.get(role.casefold()) == "skip":
                    why = f"{cells.titles[index]} is “{role[:40]}”"
                else:
                    continue
                cells.fates.setdefault(row, ("skip", why))

    def _judge(self, cells: Cells, found: dict[str, list[Any]]) -> None:
        """Say which rows cannot be anybody: no name, staff, or nothing to tell people apart by."""
        self._judge_roles(cells)
        leave_couples(cells, found)
        ids = [found[self.schema.id_column(system)] for system in self.schema.systems]
        known = [found[name] for name in ("birth_date", "class_year", "school_id")]
        known += [found[slot.key] for slot in self.schema.slots if slot.mutable]
        told = any(None not in column for column in (*ids, *known))
        for row, name in enumerate(found["sort_key"]):
            if told and name:
                continue
            if not name:
                cells.fates.setdefault(row, ("reject", "has no name"))
            elif not any(column[row] is not None for column in (*ids, *known)):
                reason = (
                    "nothing tells this person from another of the same name; add an id, an "
                    "e-mail, a phone, a birth date, a school or a class year"
                )
                cells.fates.setdefault(row, ("reject", reason))


def _split_names(columns: list[list[str]], whole: list[str]) -> None:
    """Fill given, middle, family name and suffix from a whole name where the line has neither."""
    given, middle, family, suffix = columns[:4]
    for row, text in enumerate(whole):
        if text and not given[row] and not family[row]:
            parts = HumanName(text)
            given[row], middle[row] = parts.first, parts.middle
            family[row], suffix[row] = parts.last, suffix[row] or parts.suffix
            if not given[row] and not family[row]:
                given[row] = text
