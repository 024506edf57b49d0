"""Schools' lists: the same from the same seed, the willing in them, no truth in their files."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from demo.lists import Call, Lists
from demo.people import population
from segments.asks.models import Ask, AskState
from tests.factories import Make

EVERYBODY = {p.student_number: p for p in population(1200, seed=5, today=date(2026, 9, 1))}


def lists(**more: Any) -> Lists:
    return Lists(cast("Any", SimpleNamespace(seed=5, by_number=EVERYBODY, **more)))


def years(found: Lists) -> list[Call]:
    return [call for year in range(2018, 2026) for call in found._year(year)]


def test_the_willing_say_yes_again_and_again_and_to_what_they_like() -> None:
    calls = years(lists())
    assert calls == years(lists())
    yes = np.array([call.answer == "accepted" for call in calls])
    warm = np.array([call.person.warmth for call in calls])
    liked = np.array([call.way == call.person.favourite_way for call in calls])
    assert len(calls) > 300
    assert yes[warm > 1].mean() > 2 * yes[warm < 0].mean()
    assert yes[liked].mean() > 1.3 * yes[~liked].mean()


def test_lists_come_in_as_files_that_hold_what_schools_wrote_down(
    session: Session, make: Make, tmp_path: Path
) -> None:
    checked: list[Any] = []
    desk = SimpleNamespace(check=lambda came, at: checked.extend(came))
    found = lists(session=session, folder=tmp_path, desk=desk, people={})
    calls = found._year(2024)
    for number in sorted({call.person.student_number for call in calls}):
        make.alumnus(number, external_id=number)
    make.school(nces_id="990012000001")
    session.commit()
    found._bring(calls, make.at, "2024-2025")
    said = select(Ask.state, func.count()).where(Ask.chosen_by == "history").group_by(Ask.state)
    states = dict(session.execute(said).all())
    assert sum(states.values()) == len(calls)
    assert states[AskState.ACCEPTED] == sum(call.answer == "accepted" for call in calls) > 0
    assert 0 < len(checked) <= states[AskState.ACCEPTED]
    with (tmp_path / "calls-2024-2025.csv").open(encoding="utf-8") as handle:
        assert next(csv.reader(handle)) == ["person_id", "asked_at", "way", "answered_at", "answer"]
