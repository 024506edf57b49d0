"""Columns are known however a system or a spreadsheet spells them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from crm.imports.layout import cut_length, may_refuse, never_read
from crm.imports.layouts import LAYOUTS, detect
from crm.imports.mapping import Directions, plan_for
from crm.imports.reader import Table, open_table
from tests.crm.imports.columns import COLUMNS, CUT_TRACKER, GENERAL_TRACKER
from tests.crm.imports.conftest import Command

FILES = [
    *COLUMNS.items(), ("studenttracker", GENERAL_TRACKER), ("studenttracker", CUT_TRACKER),
]  # fmt: skip
LEFT_TO_THE_READER = {"CAttrCat1", "CAttrDesc1"}
"""Attributes that each office fills with what it likes: reported, and mapped by hand."""
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper": str.upper,
    "lower": str.lower,
    "with signs": lambda name: re.sub(r"[\W_]+", "_", name),
    "run together": lambda name: re.sub(r"[\W_]+", "", name),
    "with blanks": lambda name: " " + re.sub(r"[\W_]+", " ", name) + " ",
    "of a table": lambda name: f"Students.{name}",
    "of a person": lambda name: f"person.{name}",
    "numbered": lambda name: f"[1]{name}",
    "own field": lambda name: f"hed__{name}__c",
}
Open = Callable[[tuple[str, ...]], Table]


@pytest.fixture
def opened(tmp_path_factory: pytest.TempPathFactory) -> Open:
    def opened(titles: tuple[str, ...]) -> Table:
        path = tmp_path_factory.mktemp("columns") / "list.csv"
        path.write_text(",".join(f'"{title}"' for title in titles) + "\n")
        return open_table(path)

    return opened


def read(table: Table) -> tuple[str, list[tuple[str, str | None]]]:
    plan = plan_for(table, "auto", Directions())
    return plan.layout.key, [(column.how, column.target) for column in plan.columns]


@pytest.mark.parametrize(("key", "titles"), FILES, ids=lambda value: str(value)[:20])
def test_every_column_is_read_or_left_out_on_purpose_in_every_spelling(
    opened: Open, key: str, titles: tuple[str, ...]
) -> None:
    expected = read(opened(titles))
    assert expected[0] == key
    unknown = {t for t, (how, _) in zip(titles, expected[1], strict=True) if how == "unknown"}
    assert unknown <= LEFT_TO_THE_READER
    for spell in SPELLINGS.values():
        assert read(opened(tuple(map(spell, titles)))) == expected


@pytest.mark.parametrize("length", [9, 10, 12, 15])
@pytest.mark.parametrize(("key", "titles"), FILES, ids=lambda value: str(value)[:20])
def test_names_that_were_cut_mean_the_same_or_nothing(
    opened: Open, key: str, titles: tuple[str, ...], length: int
) -> None:
    layout = LAYOUTS[key]
    cut = [title[:length] for title in titles]
    assert detect(cut) is layout or length == 9
    limit = cut_length(cut)
    for title, short in zip(titles, cut, strict=True):
        target, known = layout.read(short, limit=limit)
        if known and not never_read(title) and title != "Deceased Date":  # cut, it still says so
            assert target == layout.read(title)[0], f"{title} cut to {short}"


@pytest.mark.parametrize(
    ("key", "title", "target"),
    [
        ("studenttracker", "ENROLL_STATUS", "deceased"),
        ("studenttracker", "UNIQUE_ID", "id.sis"),
        ("powerschool", "Mother_Em", "email.parent"),
        ("powerschool", "Sched_YearOfGrad", "class_year"),
        ("spreadsheet", "Pref_Name", "preferred_name"),
        ("spreadsheet", "Do Not Em", "do_not_email"),
        ("spreadsheet", "Stu_Email", "email.school"),
    ],
)
def test_a_cut_column_is_known_by_the_one_thing_it_can_mean(
    key: str, title: str, target: str
) -> None:
    assert LAYOUTS[key].read(title) == (target, True)


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ("spreadsheet", "Graduated"),  # a yes or no, not the date of “Graduated On”
        ("spreadsheet", "Alternate"),
        ("spreadsheet", "Guardian"),
        ("spreadsheet", "Email Opt"),  # out, or in?
        ("powerschool", "Mailing_St"),  # street, or state?
        ("studenttracker", "Enrollment"),
    ],
)
def test_a_name_that_may_mean_two_things_means_neither(key: str, title: str) -> None:
    assert LAYOUTS[key].read(title) == (None, False)


@pytest.mark.parametrize(
    "title",
    [
        "SSN", "S.S.N.", "student.ssn", "Soc_Sec_Nbr", "Social Security Number", "SocialSecurityN",
        "Last 4 SSN", "SSN (last 4)", "Tax ID", "Gender", "Sex", "legal_gender", "Race", "FedRace",
        "Federal Race Code", "Ethnicity", "Ethnici", "Hispanic/Latino", "HispanicLa",
        "Lunch Status",
        "FRL", "EconomicallyDisadv", "Economically D", "IEP", "SpecialEd", "ELL", "Disability",
        "Homeless", "Citizenship", "password",
    ],
)  # fmt: skip
def test_identity_numbers_and_demographics_are_never_read_however_they_are_called(
    title: str,
) -> None:
    assert never_read(title)


@pytest.mark.parametrize("title", ["Class Number", "Grace Period", "Essex", "Sponsor", "Race Bib"])
def test_ordinary_columns_are_not_taken_for_those(title: str) -> None:
    assert not never_read(title)


@pytest.mark.parametrize(
    "title",
    ["Solicit Codes", "E-mail Opt Out?", "DNC flag", "Unsubscribed on", "Died", "Directory Info"],
)
def test_a_column_that_sounds_like_a_no_is_known_for_one(title: str) -> None:
    assert may_refuse(title)


def test_a_no_that_nobody_reads_is_said_aloud(
    run: Callable[..., Command], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("no") / "list.csv"
    path.write_text("ID,Name,Solicit Codes,Shoe\n1,Ada Mensah,No mail,39\n")
    said = run("people", "import", path).stderr
    assert "may say who wants no mail, and nobody reads them: Solicit Codes" in said
    assert "left out): Shoe" in said
