"""Policies live through the same requests and answers, and nothing of it stays."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from demo.people import WAYS, population
from demo.policies import POLICIES, simulate
from segments.asks.models import Ask
from tests.factories import Make
from tests.segments.story import clear


def test_every_policy_meets_the_same_requests_and_blasting_asks_most(
    session: Session, make: Make
) -> None:
    schools = [make.school() for _ in range(3)]
    people = list(population(40, seed=1, today=date(2026, 9, 1)))
    for n, person in enumerate(people):
        alumnus = make.alumnus(
            f"P{n}", school=schools[n % 3], ways=WAYS, external_id=person.student_number
        )
        clear(make, alumnus)
    session.commit()
    rows = {}
    for name in ("ours", "blast"):
        found = simulate(session, people, POLICIES[name], at=make.at, days=9, seed=3, every=1.0)
        rows[name] = found.row()
        session.rollback()
    assert rows["ours"]["places"] == rows["blast"]["places"] >= 3
    assert 0 < rows["ours"]["filled"] <= 1
    assert rows["ours"]["median_days"] > 0
    assert 0 < rows["ours"]["asks"] < rows["blast"]["asks"]
    assert session.scalar(select(func.count()).select_from(Ask)) == 0
