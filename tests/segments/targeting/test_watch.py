"""The drift watch: no drift leaves the model its word, more drift never gives it more of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from segments.asks.models import Ask, AskState
from segments.targeting import cases, drift, service, training
from segments.targeting.learning import learn
from segments.targeting.models import PropensityModel
from segments.targeting.reasons import effects, sentences
from tests.factories import Make
from tests.segments.targeting.test_learning import WAYS, invented


@given(st.floats(0, 50), st.floats(0, 50))
def test_more_drift_never_gives_more_weight(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 1.0 >= drift.weight_for(low) >= drift.weight_for(high) >= drift.LEAST_WEIGHT
    assert drift.weight_for(min(one, 1.0)) == 1.0


def test_answers_that_fit_the_chances_hardly_ever_raise_the_alarm() -> None:
    alarms = 0
    for seed in range(300):
        draw = np.random.default_rng(seed)
        p = draw.beta(1, 5, 400)
        found = drift.judge(p, (draw.random(400) < p).astype(np.int64))
        alarms += found.state == "drifted"
        assert found.weight == 1.0 or found.state == "drifted"
    assert alarms <= 13, "two tests at 99 % raise about one to two false alarms in a hundred"


def test_the_farther_the_yeses_from_the_chances_the_less_the_model_counts() -> None:
    p = np.full(500, 0.3)
    weights = []
    for yeses in (150, 180, 220, 300, 500):
        y = (np.arange(500) < yeses).astype(np.int64)[np.random.default_rng(1).permutation(500)]
        weights.append(drift.judge(p, y).weight)
    assert weights[0] == 1.0
    assert weights == sorted(weights, reverse=True)
    assert weights[-1] == drift.LEAST_WEIGHT
    assert drift.judge(p[:20], np.ones(20, dtype=np.int64)).state == "few"


def test_a_ranking_turned_round_is_seen_though_the_number_of_yeses_fits() -> None:
    p = np.repeat([0.1, 0.5], 300)
    y = (np.random.default_rng(3).random(600) < p[::-1]).astype(np.int64)
    found = drift.judge(p, y)
    assert found.low <= found.yeses <= found.high
    assert found.state == "drifted"


def test_a_model_that_steps_back_lies_between_itself_and_the_prior_and_says_so() -> None:
    x, y, at = invented(1200)
    model = learn(x, y, at, columns=WAYS)
    half = replace(model, trust=0.5, plain=-1.0)
    plain = model.linear.ranked(x) - 1.0
    assert np.allclose(half.logits(x), (model.logits(x) + plain) / 2)
    typical = model.linear.typical_.reshape(1, -1)
    moved = effects(half, x[:50]).sum(axis=1)
    apart = moved - half.logits(x[:50])
    assert np.allclose(apart, apart[0])
    if model.trees:
        assert np.allclose(apart, -half.logits(typical))


@pytest.fixture
def live(make: Make, session: Session) -> PropensityModel:
    """A model of plain people, live, and sixty yeses since where it expected fifteen."""
    school = make.school()
    people = [make.alumnus(f"P{n}", school=school, email=None) for n in range(60)]
    x, y, at = invented(600)
    columns = cases.columns_now(session)
    width = len(columns.names)
    wide = np.hstack([x[:, :30], np.zeros((len(x), width - 30))])
    model = learn(wide, y, at, columns=columns)
    trained = make.at - timedelta(days=40)
    record = training._register(session, "*", model, {}, at=trained)
    training._make_live(session, record)
    for person in people:
        asked = make.at - timedelta(days=20)
        make.save(Ask(
            alumnus_id=person.id, way_key="speak", state=AskState.ACCEPTED, asked_at=asked,
            answered_at=asked + timedelta(days=1), reasons=[],
        ))  # fmt: skip
    return record


def test_the_watch_keeps_what_it_finds_and_scores_follow_it(
    live: PropensityModel, make: Make, session: Session
) -> None:
    everybody = select(Alumnus.id)
    before = service.score_people(session, everybody, way_key="speak", at=make.at)
    found = drift.watch_all(session, at=make.at)["*"]
    assert found.state == "drifted"
    assert found.yeses == found.answers == 60 > found.high
    assert live.drift is not None
    after = service.score_people(session, everybody, way_key="speak", at=make.at)
    assert np.mean([s.probability for s in after]) > np.mean([s.probability for s in before])
    told = sentences([r.to_json() for r in after[0].reasons])
    assert (
        told[-1] == f"the model was off of late: {round(100 * found.weight)} percent of it counts"
    )
    kept = service.chances_now(session, [after[0].alumnus_id], way_key="speak", at=make.at)
    assert kept is not None
    assert kept[0] == pytest.approx(after[0].probability)
