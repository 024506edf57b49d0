"""Which school a line means, how that schooling stands, and the class it belongs to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import date
from itertools import repeat
from typing import Any

from crm.imports.mapping import Plan
from crm.imports.people.cells import Cells
from crm.imports.values import Cache, school_year_of
from crm.schools.aliases import code_key, keys_of

FAKE, UNKNOWN = 0, -1
_COLLEGE = re.compile(r"\b(college|university|institute of technology|polytechnic)\b", re.I)
_SCHOOL = re.compile(r"\b(high|middle|elementary|primary|academy|prep|hs|early college)\b", re.I)
MAX_UNKNOWN = 1_000
LAST_GRADE = 12


class Schoolings:
    """Fills school, status, class year and dates of each batch."""

    def __init__(
        self,
        plan: Plan,
        schools: Mapping[tuple[str, str], int],
        dates: Cache[Any],
        years: Cache[Any],
        today: date,
    ) -> None:
        self.plan = plan
        self.schools = schools
        self.dates, self.years = dates, years
        self.this_year = school_year_of(today)
        self.fake = {code_key(code) for code in plan.layout.fake_schools}
        self.by_text = Cache(self._find)
        self.unknown: Counter[str] = Counter()
        self.unknown_statuses: Counter[str] = Counter()

    def _find(self, text: str) -> int | None:
        """A school's id, `FAKE`, `UNKNOWN`, or None for a blank."""
        if not text:
            return None
        if code_key(text) in self.fake:
            return FAKE
        return next((self.schools[key] for key in keys_of(text) if key in self.schools), UNKNOWN)

    def fill(self, cells: Cells) -> dict[str, list[Any]]:
        """Stage column → values."""
        graduated_on = cells.parsed("graduated_on", self.dates)
        left_on = cells.parsed("left_on", self.dates)
        years = cells.parsed("class_year", self.years)
        grades = cells.texts("grade") or [""] * cells.count
        statuses = self._statuses(cells, graduated_on, left_on, grades)
        for row, status in enumerate(statuses):
            if status == "enrolled":
                left_on[row] = None
            if years[row] is None and status is not None:
                years[row] = self._class_year(status, graduated_on[row], left_on[row], grades[row])
            # An exit date of another school year is when the record was moved, no graduation.
            exit_day = left_on[row] if status == "graduated" and not graduated_on[row] else None
            if exit_day is not None and school_year_of(exit_day) == years[row]:
                graduated_on[row] = exit_day
        credentials = cells.texts("credential")
        found = {
            "school_status": statuses,
            "class_year": years,
            "left_on": left_on,
            "graduated_on": graduated_on,
            "credential": [t or None for t in credentials] if credentials else cells.blank(),
        }
        colleges = [t or None for t in cells.texts("college") or cells.blank()]
        if not self.plan.layout.roster:
            self._set_colleges_apart(cells, found, colleges)
        return {**found, "school_id": self._schools(cells), "college": colleges}

    def _set_colleges_apart(
        self, cells: Cells, found: dict[str, list[Any]], colleges: list[str | None]
    ) -> None:
        """Lists of constituents name any school: a college's year and degree are not ours."""
        names = cells.texts("school") or ()
        for row, name in enumerate(names):
            if self.by_text[name] == UNKNOWN and _COLLEGE.search(name) and not _SCHOOL.search(name):
                for column in found.values():
                    column[row] = None
                colleges[row] = colleges[row] or name
                cells.note(
                    row, f"“{name[:60]}” was read as a college; its year is no class of ours"
                )

    def _statuses(
        self, cells: Cells, graduated_on: list[Any], left_on: list[Any], grades: list[str]
    ) -> list[Any]:
        """enrolled, graduated or left, or None where the file does not say."""
        codes = cells.texts("status")
        statuses = self._meanings(cells, codes) if codes else cells.blank()
        by_grade = self.plan.values.get("grade", {})
        infer = codes is not None and self.plan.layout.roster
        for row, status in enumerate(statuses):
            if graduated_on[row] is not None or by_grade.get(grades[row].casefold()) == "graduated":
                statuses[row] = "graduated"
            elif status is None and infer:
                statuses[row] = "left" if left_on[row] else "enrolled"
        return statuses

    def _meanings(self, cells: Cells, codes: list[str]) -> list[Any]:
        table = self.plan.values.get("status", {})
        found = [table.get(code.casefold()) if code else None for code in codes]
        title = cells.title("status")
        for row, (code, meaning) in enumerate(zip(codes, found, strict=True)):
            if meaning == "skip":
                cells.fates.setdefault(row, ("skip", f"has not been enrolled yet ({title} {code})"))
                found[row] = None
            elif code and meaning is None:
                if code in self.unknown_statuses or len(self.unknown_statuses) < MAX_UNKNOWN:
                    self.unknown_statuses[code[:60]] += 1
                cells.note(row, f"{title} “{code[:40]}” has no meaning in the mapping")
        return found

    def _class_year(
        self, status: str, graduated_on: date | None, left_on: date | None, grade: str
    ) -> int | None:
        """The class of a diploma; else the one they would have graduated with, by their grade."""
        if status == "graduated":
            day = graduated_on or left_on
            return school_year_of(day) if day else None
        if not grade.isdecimal() or not 1 <= int(grade) <= LAST_GRADE:
            return None
        then = school_year_of(left_on) if left_on else self.this_year
        return then + LAST_GRADE - int(grade)

    def _schools(self, cells: Cells) -> list[Any]:
        """School ids; one that no file of schools named stays unknown, never a school made up."""
        columns = [cells.text(i) for i in self.plan.of("school")]
        true_ones = [cells.text(i) for i in self.plan.of("school.graduated")]
        found = cells.blank()
        if not columns and not true_ones:
            return found
        resolved = [list(map(self.by_text.__getitem__, column)) for column in columns]
        for row, ids in enumerate(
            zip(*resolved, strict=True) if resolved else repeat((), cells.count)
        ):
            school = next((i for i in ids if i is not None and i > 0), None)
            if school is None:
                texts = [column[row] for column in columns]
                school = self._true_school(cells, row, texts, list(ids), true_ones)
            found[row] = school
        return found

    def _true_school(
        self,
        cells: Cells,
        row: int,
        texts: list[str],
        ids: list[int | None],
        true_ones: list[list[str]],
    ) -> int | None:
        """The school of a line whose own one is fake or blank; what stays unknown is explained."""
        school = None
        if FAKE in ids or not any(texts):
            texts += [column[row] for column in true_ones]
            ids = [self.by_text[text] for text in texts]
            school = next((i for i in ids if i is not None and i > 0), None)
        if school is None:
            self._explain(cells, row, texts, ids)
        return school

    def _explain(self, cells: Cells, row: int, texts: list[str], ids: list[int | None]) -> None:
        """Note why the schooling of a row stays unknown."""
        for text, school in zip(texts, ids, strict=True):
            if school == UNKNOWN:
                cells.note(row, f"no school is called “{text[:60]}”; the school stays unknown")
                if text in self.unknown or len(self.unknown) < MAX_UNKNOWN:
                    self.unknown[text] += 1
                return
        if FAKE in ids:
            fake = texts[ids.index(FAKE)]
            cells.note(row, f"sits in {fake}, which is no school; the school stays unknown")
