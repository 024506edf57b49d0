"""Kept chances: found by queries, read by the desk, told to the person, gone with them."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.everything import everything_about
from crm.alumni.models import Alumnus
from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.query import compile_query
from crm.rights.erasing import erase
from segments.desk.people import live_scores
from segments.targeting import scores
from segments.targeting.models import PropensityModel
from segments.targeting.scores import SCORES
from tests.factories import Make

FAR = 3 * scores.SIZE + 5


@pytest.fixture
def people(make: Make) -> list[Alumnus]:
    """Four people: two in one block, one at the end of the next, one far away."""
    places = (scores.SIZE, scores.SIZE + 1, 3 * scores.SIZE - 1, FAR)
    return [make.save(make.alumnus(f"P{n}", id=10_240 + n)) for n in places]


def live(make: Make, way: str) -> PropensityModel:
    return make.save(
        PropensityModel(
            way_key=way, no=1, trained_at=make.at, card={}, body=b"", sha256="", live=True
        )
    )


def keep(make: Make, people: list[Alumnus], way: str, *chances: float) -> None:
    ids = np.array([person.id for person in people[: len(chances)]])
    model = make.session.scalars(
        select(PropensityModel).where(PropensityModel.way_key == way)
    ).one_or_none() or live(make, way)
    parts = [(ids[:1], np.array(chances[:1])), (ids[1:], np.array(chances[1:]))]
    kept = scores.keep(make.session, parts, way_key=way, model_id=model.id, at=make.at)
    assert kept == len(chances)


def test_queries_find_people_by_what_is_kept(
    make: Make, session: Session, people: list[Alumnus]
) -> None:
    keep(make, people, "speak", 0.2, 0.6, 0.61, 1.0)
    keep(make, people, "mentor", 0.9, 0.1)

    def found(query: str) -> list[int]:
        compiled = compile_query(query, QueryContext(session, SYSTEM, make.at))
        ids = set(session.scalars(compiled.ids))
        return [n for n, person in enumerate(people) if person.id in ids]

    assert found("chance.speak:60..") == [1, 2, 3]
    assert found("chance.speak:..60") == [0, 1]
    assert found("-chance.mentor:0..") == [2, 3]
    assert found("score(way:mentor,speak chance:80..)") == [0, 3]
    assert found("score(way:mentor chance:60..) chance.speak:60..") == []


def test_new_scores_replace_those_of_the_way_alone(
    make: Make, session: Session, people: list[Alumnus]
) -> None:
    keep(make, people, "speak", 0.2, 0.6, 0.61, 1.0)
    keep(make, people, "mentor", 0.9)
    keep(make, people, "speak", 0.3, 0.0)
    rows = session.execute(
        select(SCORES.c.way_key, SCORES.c.alumnus_id, SCORES.c.chance).order_by(SCORES.c.chance)
    )
    first, second = (person.id for person in people[:2])
    assert [tuple(row) for row in rows] == [
        ("speak", second, 0.0), ("speak", first, 0.3), ("mentor", first, 0.9),
    ]  # fmt: skip


def test_the_desk_reads_the_way_before_all_ways_and_no_model_that_is_gone(
    make: Make, session: Session, people: list[Alumnus]
) -> None:
    keep(make, people, "*", 0.1, 0.2, 0.3)
    keep(make, people, "speak", 0.7)
    ids = np.array([person.id for person in people])

    def read() -> list[float | None]:
        found = live_scores(session, ids, ["speak"])["speak"]
        return [None if np.isnan(chance) else float(chance) for chance in found]

    assert read() == [0.7, 0.2, 0.3, None]
    older = session.scalars(select(PropensityModel).where(PropensityModel.way_key == "speak")).one()
    older.live = False
    assert read() == [0.1, 0.2, 0.3, None]


def test_people_are_told_their_own_and_erasing_leaves_none(
    make: Make, session: Session, people: list[Alumnus]
) -> None:
    keep(make, people, "speak", 0.2, 0.6, 0.61, 1.0)
    keep(make, people, "mentor", 0.9)
    told = everything_about(session, people[0].id, at=make.at, by=SYSTEM)["tables"]["score"]
    assert [(row["way_key"], row["probability"]) for row in told] == [
        ("mentor", 0.9), ("speak", 0.2),
    ]  # fmt: skip
    erase(session, people[0].id, at=make.at, by=SYSTEM)
    left = set(session.scalars(select(SCORES.c.alumnus_id)))
    assert people[0].id not in left
    assert {people[2].id, people[3].id} <= left
