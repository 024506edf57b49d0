"""Everybody's features in one pass are what each person's history says by itself."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Interest
from crm.imports.models import CustomField, CustomKind
from crm.interactions.models import Mode
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.targeting import features, service, training
from segments.targeting.columns import columns_now
from segments.targeting.everybody import load_everybody
from segments.targeting.learning import prior
from segments.targeting.scores import SCORES
from tests.factories import Make
from tests.segments.story import make_request

KINDS = ("talk_given", "gift", "event_attended", "link_clicked", "odd")
STATES = (*AskState,)


def random_histories(make: Make, people: int) -> None:
    """Interactions, asks and promises by chance, some at the very moment or after it."""
    draw = np.random.default_rng(11)
    school = make.school()
    choir = {"key": "choir", "label": "Choir", "kind": CustomKind.TEXT, "targeting": True}
    make.save(CustomField(**choir, created_at=make.at))
    request = make_request(make, school)
    for n in range(people):
        person = make.alumnus(
            f"P{n}", school=school, ways=("speak",) if n % 3 else (), email=None,
            class_year=1990 + n % 30 if n % 7 else None, custom={"choir": "yes"} if n % 2 else {},
            field_of_work="Health" if n % 4 else None,
        )  # fmt: skip
        for _ in range(draw.integers(0, 9)):
            make.interaction(
                person, str(draw.choice(KINDS)), Mode(str(draw.choice([*Mode]))),
                days_ago=float(draw.choice([0, 3, 89.5, 90, 200, 365, 1000, -4])),
                hours=float(draw.integers(0, 5)), amount=float(draw.integers(0, 90)),
                machine=bool(draw.random() < 0.2),
            )  # fmt: skip
        for k in range(draw.integers(0, 4)):
            asked_at = make.at - timedelta(days=float(draw.choice([-2, 0, 30, 91, 400])) + k / 24)
            state = AskState(str(draw.choice(STATES)))
            late = timedelta(days=float(draw.choice([1, 2, 60])))
            ask = Ask(
                alumnus_id=person.id, way_key=str(draw.choice(["speak", "mentor"])), state=state,
                asked_at=asked_at, answered_at=asked_at + late if state in STATES[1:3] else None,
                reasons=[],
            )  # fmt: skip
            if state is AskState.OPEN and k:
                continue
            make.save(ask)
            if k == 1:
                make.save(
                    Commitment(
                        ask_id=ask.id, request_id=request.id, alumnus_id=person.id,
                        starts_at=asked_at, ends_at=asked_at + timedelta(hours=1),
                        state=CommitmentState(str(draw.choice([*CommitmentState]))),
                        created_at=asked_at,
                    )
                )  # fmt: skip
    early = update(Interest).where(Interest.alumnus_id % 2 == 0)
    make.session.execute(early.values(since=make.at - timedelta(days=10)))


def test_one_pass_gives_the_numbers_that_each_history_gives(make: Make, session: Session) -> None:
    random_histories(make, 60)
    make.alumnus("Gone", deceased=True)
    columns = columns_now(session)
    assert len(columns.fields) == 1
    alive = select(Alumnus.id).where(Alumnus.deceased.is_(False))
    for way in ("speak", "*"):
        cases = features.people_cases(alive, way_key=way, at=make.at)
        one_by_one = features.load(session, cases, base=0.15, more=columns.of)
        (at_once,) = load_everybody(session, way_key=way, at=make.at, base=0.15, columns=columns)
        assert np.array_equal(at_once.people, one_by_one.people)
        for n, name in enumerate(columns.names):
            assert np.allclose(at_once.x[:, n], one_by_one.x[:, n], rtol=1e-12), name
        if way == "speak":  # or a column that is always 0 would prove nothing
            width = len(features.COLUMNS)
            assert (one_by_one.x != one_by_one.x[0]).any(axis=0)[:width].all()


def test_ranges_of_ids_leave_nobody_out(
    make: Make, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    random_histories(make, 12)
    whole = next(load_everybody(session, way_key="speak", at=make.at, base=0.15))
    monkeypatch.setattr("segments.targeting.everybody.RANGE", 5)
    parts = list(load_everybody(session, way_key="speak", at=make.at, base=0.15))
    assert len(parts) > 2
    assert np.array_equal(np.concatenate([part.x for part in parts]), whole.x)


def test_scores_are_kept_with_their_model_and_moment(make: Make, session: Session) -> None:
    random_histories(make, 12)
    cases = features.asked_cases(way_key=None, until=make.at)
    columns = columns_now(session)
    loaded = features.load(session, cases, base=0.15, more=columns.of)
    record = training._register(
        session, "speak", prior(loaded.x, columns=columns), {}, at=make.at
    )  # fmt: skip
    training._make_live(session, record)
    assert service.store_scores(session, way_key="speak", at=make.at) == 12
    kept = {row.alumnus_id: row for row in session.execute(select(SCORES))}
    who = select(Alumnus.id)
    for score in service.score_people(session, who, way_key="speak", at=make.at):
        row = kept[score.alumnus_id]
        assert abs(row.chance - score.probability) < 1e-12
        assert (row.model_id, row.at, row.way_key) == (record.id, make.at, "speak")
    assert service.store_scores(session, way_key="speak", at=make.at) == 12
