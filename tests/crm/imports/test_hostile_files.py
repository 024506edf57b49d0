"""Files that are damaged, mixed up or meant to do harm: refused, in bounded memory."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from sqlalchemy.orm import Session

from crm.core.errors import Refused
from crm.imports.reader import open_table
from tests.crm.imports.conftest import Bring, Command, everybody, fates, reasons

LINES = "ID,Name,City\n1,Zoë Nuñez,Atlanta\n2,Bo Li,Macon\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_every_usual_encoding_and_delimiter_is_read(
    session: Session, bring: Bring, encoding: str, delimiter: str
) -> None:
    found = bring(LINES.replace(",", delimiter).encode(encoding))
    assert fates(found) == {"create": 2}
    assert everybody(session)[0].full_name == "Zoë Nuñez"


def test_a_file_of_two_encodings_rejects_the_odd_lines_and_mangles_none(
    session: Session, bring: Bring
) -> None:
    mixed = LINES.encode() + "3,José Peña,Rome\n".encode("cp1252") + b"4,Cy Ray,Athens\n"
    found = bring(mixed)
    assert fates(found) == {"create": 3, "reject": 1}
    assert "“Name” holds bytes that are not in the encoding" in reasons(session, found)[2]


def test_old_line_endings_and_a_separator_line_are_understood(
    session: Session, bring: Bring
) -> None:
    assert fates(bring(LINES.replace("\n", "\r"))) == {"create": 2}
    assert fates(bring("sep=;\r\n" + LINES.replace(",", ";").replace("\n", "\r\n"))) == {
        "unchanged": 2
    }


def test_rows_of_another_width_are_rejected_with_their_count(
    session: Session, bring: Bring
) -> None:
    found = bring("ID,Name,City\n1,Ada Mensah\n2,Bo Li,Macon,extra\n3,Cy Ray,Rome,,\n")
    assert fates(found) == {"create": 1, "reject": 2}
    assert reasons(session, found)[:2] == [
        "has 2 columns where the first line names 3", "has 4 columns where the first line names 3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LINES + '3,"Cy Ray,Rome\n' + "4,Di Fu,Rome\n" * 9, "list.csv:4: a quotation mark"),
        (LINES + '3,"Cy Ray,Rome\n' + "4,Di Fu,Rome\n" * 999, "list.csv:4: a quotation mark"),
        (LINES + '3,"' + "x" * 40_000 + '",Rome\n', "list.csv:4: a field holds more than"),
        (LINES + "x" * 3_000_000, "list.csv:4: is a line of more than a million"),
        (",".join(map(str, range(100_000))) + "\n", "list.csv:1: has 100,000 columns"),
        ("\n\n \n", "is empty"),
        ("Color,Size\nred,3\n", "list.csv:1: no column holds a name"),
        (b"\xff\xfeI\x00D\x00\x00\xd8", "is not the UTF-16 it begins as"),
        (b"ID,Name\n1,Bo\x00\n", "list.csv:2: holds a NUL byte"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_as_a_whole(
    session: Session, run: Callable[..., Command], tmp_path: Path, content: str | bytes, words: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    answer = run("people", "import", path)
    assert answer.code == 1
    assert words in answer.stderr
    assert everybody(session) == []


def test_a_row_of_very_many_columns_is_one_bad_line(session: Session, bring: Bring) -> None:
    found = bring(LINES + ",".join(["x"] * 100_000) + "\n")
    assert fates(found) == {"create": 2, "reject": 1}
    assert "has 100,000 columns" in reasons(session, found)[2]


def test_a_cell_that_is_too_long_rejects_its_line(session: Session, bring: Bring) -> None:
    found = bring(f"ID,Name,City\n1,{'A' * 5000},Rome\n2,Bo Li,Rome\n")
    assert fates(found) == {"create": 1, "reject": 1}
    assert reasons(session, found)[0] == "“Name” holds 5,000 characters; at most 200 are read"


def test_formulas_and_markup_are_kept_as_the_text_they_are(session: Session, bring: Bring) -> None:
    bring("ID,First,Last\n1,\"=cmd|' /C calc'!A0\",<script>alert(1)</script>\n")
    (odd,) = everybody(session)
    assert odd.given_name.startswith("=cmd|")
    assert odd.family_name == "<script>alert(1)</script>"


def test_backslashes_and_control_signs_do_not_shift_columns(session: Session, bring: Bring) -> None:
    bring('ID,Name,City\n1,"Ada\tMensah","\\N"\n2,Bo \\t Li,"At\x1b[31m\nlanta"\n')
    ada, bo = everybody(session)
    assert (ada.full_name, ada.city) == ("Ada Mensah", "\\N")
    assert bo.city == "At [31m lanta"


def workbook(rows: list[list[object]]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def packed(*parts: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ID,Name\n1,Ada\n", "not the Excel workbook that its name says"),
        (packed(("a.txt", b"hello")), "no Excel workbook"),
        (
            packed(("[Content_Types].xml", b"<x/>"), ("xl/sheet.xml", bytes(64 * 1024 * 1024))),
            "would unpack to 64 MB",
        ),
        (packed(("[Content_Types].xml", b"<x"), ("xl/workbook.xml", b"<x")), "cannot be read"),
        (workbook([[]]), "first worksheet is empty"),
    ],
)
def test_a_workbook_that_is_none_or_a_bomb_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(content)
    with pytest.raises(Refused, match=words):
        open_table(path)


def test_a_workbook_with_entities_is_refused(tmp_path: Path) -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><worksheet>&b;</worksheet>'
    parts = {}
    with zipfile.ZipFile(io.BytesIO(workbook([["ID", "Name"], [1, "Ada"]]))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/worksheets/sheet1.xml"] = bomb
    path = tmp_path / "list.xlsx"
    path.write_bytes(packed(*parts.items()))
    with pytest.raises(Refused):
        open_table(path)


def test_many_short_lines_need_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("ID,Name\n" + "1,Ada Mensah\n" * 60_000)
    tracemalloc.start()
    count = sum(len(batch) for batch in open_table(path).batches())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 60_000
    assert peak < 8 * 1024 * 1024


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=300), name=st.sampled_from(["x.csv", "x.tsv", "x.xlsx"]))
def test_no_bytes_break_the_reader(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    def read() -> None:
        for batch in open_table(path).batches():
            "".join("".join(row) for row in batch.rows).encode()

    assert refusal(read).startswith(name) or refusal(read) == ""


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cells=st.lists(st.text(max_size=20), min_size=3, max_size=3))
def test_no_text_breaks_an_import(session: Session, bring: Bring, cells: list[str]) -> None:
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    lines = f"ID,Name,Class\n{','.join(quoted)}\n7,Ada Mensah,2011\n".encode("utf-8", "replace")
    nested = session.begin_nested()

    def read() -> None:
        assert sum(bring(lines).totals.values()) in (1, 2)

    reason = refusal(read)
    nested.rollback()
    session.expire_all()
    assert reason == "" or "NUL" in reason


def refusal(act: Callable[[], None]) -> str:
    """Why `act` was refused; nothing if it was not."""
    try:
        act()
    except Refused as error:
        return str(error)
    return ""
