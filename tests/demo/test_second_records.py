"""Some invented people stand in the office's spreadsheet twice: there are pairs to decide."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM
from crm.duplicates.finding import find_duplicates
from crm.imports.schools import import_schools
from crm.imports.service import import_people
from demo import files
from demo.people import population
from tests.factories import Make


def test_the_office_s_spreadsheet_brings_pairs_for_the_duplicate_queue(
    session: Session, make: Make, tmp_path: Path
) -> None:
    known = [p for p in population(400, seed=1, today=make.at.date()) if p.class_year <= 2021]
    import_schools(session, files.write_schools(tmp_path / "schools.csv"), at=make.at, by=SYSTEM)
    sheet = files.write_office_spreadsheet(tmp_path / "office.csv", known)
    run = import_people(session, sheet, at=make.at, by=SYSTEM)
    assert run.totals["create"] > len(known)
    assert run.totals["conflict"] == run.totals["reject"] == 0
    assert find_duplicates(session, at=make.at) >= 3
