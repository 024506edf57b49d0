"""How pairs are found: on an invented district with twins, and pass by pass on the database."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.families import children
from crm.alumni.names import fold, words
from crm.duplicates import blocking, comparing, weighing
from crm.duplicates.columns import Gatherer, People, place
from crm.duplicates.finding import THRESHOLD, find_changed, find_duplicates
from crm.duplicates.models import DuplicatePair, DuplicatePass
from crm.schools.models import School
from tests.crm.imports.conftest import Bring, bring, everybody, north
from tests.crm.imports.test_layouts import table

__all__ = ["bring", "north"]
HEAD = "Student ID|First Name|Last Name|School|Class Year|DOB|Email|Phone|City"
OTHER = HEAD.replace("Student ID", "Record ID")


def district(count: int, seed: int) -> tuple[People, set[tuple[int, int]]]:
    """An invented district in columns, and the pairs of rows that are one person."""
    gatherer, truth = Gatherer(), set()
    drawn = list(children(count, 8, seed))
    for n, (child, same) in enumerate(drawn):
        birth = child.birth
        gatherer.add(
            n, given=words(child.given), family=words(f"{child.family} {child.former}"),
            birth=birth.year * 10_000 + birth.month * 100 + birth.day if birth else 0,
            class_year=child.class_year, postal=child.postal, city=fold(child.city),
        )  # fmt: skip
        if same:
            truth.add((n - 1, n))
    people = gatherer.people()
    for n, (child, _) in enumerate(drawn):
        people.street[n] = people.texts.code(fold(child.street))
        place(people.schools, n, child.school)
        for column, value in ((people.emails, child.email), (people.phones, child.phone)):
            if value:
                place(column, n, people.texts.code(value))
    return people, truth


@pytest.mark.parametrize("seed", [1, 2])
def test_of_what_is_proposed_at_least_95_in_100_are_right_and_most_are_found(seed: int) -> None:
    people, truth = district(4_000, seed)
    one, other = blocking.rows_of(blocking.candidates(people))
    compared = comparing.compare(people, one, other)
    model = weighing.learn(weighing.start(people), compared, people.count, 1.0)
    chances, _ = model.chances(compared)
    likely = chances >= THRESHOLD
    found = set(zip(one[likely].tolist(), other[likely].tolist(), strict=True))
    assert len(found & truth) / len(found) >= 0.95
    assert len(found & truth) / len(truth) >= 0.85


def test_every_pair_that_shares_a_key_is_looked_at_once() -> None:
    people, _ = district(500, 3)
    pairs = blocking.candidates(people)
    one, other = blocking.rows_of(pairs)
    assert (one < other).all()
    assert len(set(pairs.tolist())) == len(pairs)


@pytest.mark.parametrize(
    ("name", "code"), [("robert", "r163"), ("rupert", "r163"), ("lee", "l000"), ("ñu", "ñ000")]
)
def test_names_that_sound_alike_share_a_sound(name: str, code: str) -> None:
    assert blocking.sound(name) == code


def found(session: Session) -> list[tuple[int, int]]:
    """The pairs that are proposed."""
    rows = session.scalars(
        select(DuplicatePair)
        .where(DuplicatePair.state == "open", DuplicatePair.probability >= THRESHOLD)
        .order_by(DuplicatePair.first_id, DuplicatePair.second_id)
    )
    return [(pair.first_id, pair.second_id) for pair in rows]


@pytest.mark.parametrize(
    ("second", "proposed"),
    [
        ("9|Bob|Hill|201|2010|1992-03-04|||", True),  # a nickname
        ("9|Robert|Hil|201|2010|1992-03-04|||", True),  # a slip
        ("9|Hill|Robert|201|2010|1992-03-04|||", True),  # names in each other's column
        ("9|Robert|Hill|201|2010|1992-04-03|||", True),  # day and month exchanged
        ("9|Ruth|Hill|201|2010|1992-03-04||404-555-0101|Milltown", False),  # a twin
        ("9|Robert|Hill|201|1982|1964-11-27||404-555-0101|Milltown", False),  # his father
    ],
)  # fmt: skip
def test_slips_and_nicknames_are_proposed_and_a_household_is_not(
    session: Session, bring: Bring, north: School, now: datetime, second: str, proposed: bool
) -> None:
    bring(table(HEAD, "1|Robert|Hill|201|2010|1992-03-04|rob@mail.example|404-555-0101|Milltown"))
    bring(table(OTHER, second), "old.csv")
    find_duplicates(session, at=now)
    assert bool(found(session)) is proposed


def test_a_pass_over_those_who_changed_finds_what_one_over_everybody_does(
    session: Session, bring: Bring, north: School, now: datetime
) -> None:
    bring(table(HEAD, *(f"{n}|Ada{n}|Byron{n}|201|2010|1992-03-{n:02}|||" for n in range(1, 9))))
    first = find_changed(session, at=now + timedelta(minutes=1))
    assert (first.scope, first.people, found(session)) == ("all", 8, [])
    later = now + timedelta(days=1)
    people = everybody(session)
    people[4].given_name, people[4].family_name = "Ada1", "Byron1"
    people[4].birth_date, people[4].updated_at = date(1992, 3, 1), later
    session.flush()
    night = find_changed(session, at=later + timedelta(minutes=1))
    assert (night.scope, night.people) == ("changed", 1)
    assert found(session) == [(people[0].id, people[4].id)]
    people[4].given_name, people[4].birth_date = "Zoe", date(1990, 1, 1)
    people[4].updated_at = later + timedelta(hours=1)
    session.flush()
    find_changed(session, at=later + timedelta(hours=2))
    assert found(session) == []
    assert find_changed(session, at=now + timedelta(days=8)).scope == "all"


def test_a_pass_keeps_its_weights_and_how_long_it_took(
    session: Session, bring: Bring, north: School, now: datetime
) -> None:
    bring(table(HEAD, "1|Ada|Byron|201|2010|1992-03-04|||"))
    find_duplicates(session, at=now)
    done = session.scalars(select(DuplicatePass)).one()
    assert set(done.model) == {"m", "u", "prior", "kinship"}
    assert abs(sum(done.model["m"]["given"]) - 1) < 0.01
    assert session.scalar(text("select count(*) from duplicate_pass")) == 1
