"""Laws of imports: a file only ever tightens, and the same file twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.consent.models import ConsentSource, SuppressionReason
from crm.consent.queries import left_everything
from crm.consent.service import grant, lift, suppress, withdraw
from crm.core.viewer import SYSTEM
from crm.imports.service import import_people
from tests.crm.imports.conftest import Bring, everybody, fates
from tests.factories import Make

COLUMNS = (
    "Student ID", "State ID", "Name", "DOB", "Class", "School", "Email", "Phone", "FERPA Block",
    "Deceased", "Do Not Contact", "Do Not Email", "Opt In", "Opt Out", "City", "Ways to Help",
)  # fmt: skip
FLAG = st.sampled_from(["", "", "Y", "N", "yes", "no", "0", "1", "?"])
CELLS = {
    "Student ID": st.sampled_from(["", "1", "01", "2", "3"]),
    "State ID": st.sampled_from(["", "", "S1", "S2"]),
    "Name": st.sampled_from(
        ["Ada Mensah", "Mensah, Ada", "Ada B Mensah", "Bo Mensah", "王小明", ""]
    ),
    "DOB": st.sampled_from(["", "", "1997-05-06", "5/6/1997", "1998-01-01"]),
    "Class": st.sampled_from(["", "2015", "15", "2016"]),
    "School": st.sampled_from(["", "North HS", "201", "South", "999"]),
    "Email": st.sampled_from(["", "ada@mail.example", "ADA@mail.example", "bo@mail.example", "x"]),
    "Phone": st.sampled_from(["", "", "404-555-0101", "(404) 555 0101"]),
    "City": st.sampled_from(["", "Atlanta", "Macon"]),
    "Ways to Help": st.sampled_from(["", "speak", "tutor; mentor"]),
}
ROW = st.tuples(*(CELLS.get(column, FLAG) for column in COLUMNS))
FILE = st.lists(ROW, min_size=1, max_size=6)
SLOW = settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """What happens inside is taken back, so that every example starts alike."""
    nested = session.begin_nested()
    try:
        yield
    finally:
        nested.rollback()
        session.expire_all()


def write(path: Path, rows: list[tuple[str, ...]]) -> Path:
    quoted = [",".join(f'"{cell}"' for cell in row) for row in (COLUMNS, *rows)]
    path.write_text("\n".join(quoted) + "\n")
    return path


@pytest.fixture
def strict(make: Make, session: Session) -> dict[str, int]:
    """People who said no in every way there is, and may be meant by the files."""
    north = make.school("North High School")
    blocked = make.alumnus(
        "Ada", "Mensah", school=north, class_year=2015, email="ada@mail.example", external_id="1",
        ferpa_block=True, do_not_contact=True, deceased=True,
    )  # fmt: skip
    gone = make.alumnus(
        "Bo", "Mensah", school=north, class_year=2016, email="bo@mail.example", external_id="2"
    )
    withdraw(session, gone.id, topic_key=None, source=ConsentSource.LINK, at=make.at)
    suppress(
        session, ["bo@mail.example"], reason=SuppressionReason.COMPLAINED, source="x", at=make.at
    )
    return {"blocked": blocked.id, "gone": gone.id}


@SLOW
@given(files=st.lists(FILE, min_size=1, max_size=3))
def test_no_file_in_any_order_loosens_what_people_or_rosters_said(
    session: Session, strict: dict[str, int], make: Make, tmp_path: Path,
    files: list[list[tuple[str, ...]]],
) -> None:  # fmt: skip
    with undone(session):
        refused: set[str] = set()
        for rows in files:
            import_people(session, write(tmp_path / "x.csv", rows), at=make.at, by=SYSTEM)
            session.expire_all()
            still = {
                f"{name}:{p.id}" for p in everybody(session)
                for name in ("ferpa_block", "deceased", "do_not_contact") if getattr(p, name)
            }  # fmt: skip
            still |= {f"left:{p.id}" for p in everybody(session) if left_everything(session, p.id)}
            held = "select address_key from suppression where lifted_at is null"
            still |= set(session.scalars(text(held)))
            assert refused <= still
            refused = still
        assert {f"{n}:{strict['blocked']}" for n in ("ferpa_block", "deceased")} <= refused
        assert {f"left:{strict['gone']}", "bo@mail.example"} <= refused
        granted = "select count(*) from consent_entry where state = 'granted'"
        assert session.scalar(text(granted)) == 0


@SLOW
@given(rows=FILE)
def test_the_same_file_twice_changes_nothing(
    session: Session, make: Make, tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    with undone(session):
        make.school("North High School")
        path = write(tmp_path / "x.csv", rows)
        dry = import_people(session, path, at=make.at, by=SYSTEM, dry_run=True)
        first = import_people(session, path, at=make.at, by=SYSTEM)
        assert dry.totals == first.totals
        before = snapshot(session)
        again = import_people(session, path, at=make.at, by=SYSTEM)
        assert (again.totals["create"], again.totals["update"]) == (0, 0), fates(again)
        assert snapshot(session) == before


def snapshot(session: Session) -> list[list[tuple[object, ...]]]:
    """Everything that an import of people may write."""
    tables = ("alumnus", "external_id", "schooling", "contact_point", "interest", "consent_entry")
    return [
        [tuple(row) for row in session.execute(text(f"select * from {table} order by id"))]
        for table in tables
    ]


def test_who_asked_for_mail_again_is_not_silenced_by_an_old_file(
    session: Session, bring: Bring, make: Make
) -> None:
    old = "ID,Name,Email,Do Not Email\n1,Ada Mensah,ada@mail.example,Y\n"
    bring(old)
    (ada,) = everybody(session)
    grant(session, ada.id, topic_key=None, source=ConsentSource.LINK, at=make.at)
    lift(session, "ada@mail.example", at=make.at)
    assert fates(bring(old)) == {"unchanged": 1}
    assert not left_everything(session, ada.id)


def test_an_opt_in_column_never_opts_anybody_in_but_its_no_counts(
    session: Session, bring: Bring
) -> None:
    bring("ID,Name,Opt In\n1,Ada Mensah,Y\n2,Bo Li,N\n3,Cy Ray,\n")
    ada, bo, cy = everybody(session)
    assert [left_everything(session, p.id) for p in (ada, bo, cy)] == [False, True, False]
    assert session.scalar(text("select count(*) from consent_entry")) == 1


def test_a_mark_that_cannot_be_read_counts_as_a_yes(session: Session, bring: Bring) -> None:
    found = bring("ID,Name,FERPA Block,Deceased\n1,Ada Mensah,R,\n2,Bo Li,,2019-04-01\n")
    ada, bo = everybody(session)
    assert ada.ferpa_block
    assert bo.deceased
    assert fates(found) == {"create": 2}
