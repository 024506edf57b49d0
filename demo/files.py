"""The files that the invented district brings: its schools, an office spreadsheet, yearly rosters."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from demo.people import Person, schools

ROSTER_COLUMNS = (
    "Student_Number", "State_StudentNumber", "First_Name", "Middle_Name", "Last_Name", "DOB", "Gender",
    "Grade_Level", "SchoolID", "Graduated_SchoolID", "EntryDate", "ExitDate", "ExitCode", "Enroll_Status",
    "Sched_YearOfGraduation", "Home_Phone", "Mailing_Street", "Mailing_City", "Mailing_State", "Mailing_Zip",
    "student_email", "Mother_Email",
)  # fmt: skip
OFFICE_COLUMNS = (
    "Student Number", "First Name", "Middle Name", "Last Name", "Suffix", "Maiden Name", "Preferred Name",
    "Birth Date", "Class Year", "High School", "Email", "Phone", "City", "State", "Zip", "Language",
    "Job Title", "Employer", "Field of Work", "College", "Do Not Email", "FERPA Block", "Deceased",
)  # fmt: skip

EVERY = 50
"""Every so many-th person stands in the office's spreadsheet twice."""
NICKNAMES = {
    "Abigail": "Abby", "Benjamin": "Ben", "Christine": "Chris", "Daniel": "Dan", "Jennifer": "Jen",
    "Nathan": "Nate", "Thomas": "Tom", "Megan": "Meg", "Walter": "Walt",
}  # fmt: skip


def write_schools(path: Path) -> Path:
    """The district's schools in the columns of the NCES directory."""
    columns = (
        "NCESSCH",
        "SCH_NAME",
        "LEVEL",
        "LCITY",
        "LSTATE",
        "LZIP",
        "SY_STATUS",
        "local_code",
        "cluster",
    )
    rows = (
        (s.nces_id, s.name, s.level, s.city, "GA", s.postal_code, "1", s.code, s.cluster)
        for s in schools()
    )
    return _write(path, columns, rows, delimiter=",")


def write_office_spreadsheet(path: Path, people: Iterable[Person]) -> Path:
    """What the alumni office had kept by hand: one line a person, gaps and all, and some twice."""
    return _write(path, OFFICE_COLUMNS, _office_rows(people), delimiter=",")


def _office_rows(people: Iterable[Person]) -> Iterator[tuple[str, ...]]:
    """Everybody, and below them those whom a sign-up sheet of old has under another name."""
    second = []
    for p in people:
        yield _office_row(p)
        if p.n % EVERY == 0 and not (p.deceased or p.ferpa_block or p.opted_out):
            second.append(_second_row(p))
    yield from second


def _second_row(p: Person) -> tuple[str, ...]:
    """The same person again: by the name of then, a nickname or a slip; no number and no address.

    Nothing is drawn here, so that the truth behind everybody else stays as it is.
    """
    given, family = p.name.given, p.name.family
    if p.name.former:
        family = p.name.former
    elif given in NICKNAMES:
        given = NICKNAMES[given]
    elif len(family) > 4:
        family = family[:2] + family[3] + family[2] + family[4:]
    else:
        given = given[:1] + given
    return (
        "", given, "", family, "", "", "", p.birth_date.isoformat(), str(p.class_year), p.school.name,
        "", p.phone, p.city, "GA", p.postal_code, "", "", "", "", "", "", "", "",
    )  # fmt: skip


def _office_row(p: Person) -> tuple[str, ...]:
    return (
        p.student_number, p.name.given, p.name.middle, p.name.family, p.name.suffix, p.name.former,
        p.name.preferred, p.birth_date.isoformat(), str(p.class_year), p.school.name, p.email, p.phone,
        p.city, "GA", p.postal_code, p.name.language, p.job, p.employer, p.field, p.college,
        "Y" if p.opted_out else "", "Y" if p.ferpa_block else "", "Y" if p.deceased else "",
    )  # fmt: skip


def write_roster(path: Path, people: Iterable[Person], *, graduated: bool, left_on: date) -> Path:
    """A student system's export, tab-delimited: a graduated class, or the seniors still enrolled."""
    return _write(path, ROSTER_COLUMNS, _roster_rows(people, graduated, left_on), delimiter="\t")


def _roster_rows(
    people: Iterable[Person], graduated: bool, left_on: date
) -> Iterator[tuple[str, ...]]:
    for p in people:
        yield (
            p.student_number, f"GA{p.n:08d}", p.name.given, p.name.middle, p.name.family,
            p.birth_date.strftime("%m/%d/%Y"), "", "99" if graduated else "12",
            "999999" if graduated else p.school.code, p.school.code if graduated else "",
            date(p.class_year - 4, 8, 5).strftime("%m/%d/%Y"),
            left_on.strftime("%m/%d/%Y") if graduated else "", "G1" if graduated else "",
            "3" if graduated else "0", str(p.class_year), p.phone, p.street, p.city, "GA", p.postal_code,
            p.school_email, p.parent_email,
        )  # fmt: skip


def _write(
    path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, delimiter: str
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(
        "w", newline="", encoding="utf-8-sig" if delimiter == "," else "utf-8"
    ) as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        writer.writerow(columns)
        writer.writerows(rows)
    return path
