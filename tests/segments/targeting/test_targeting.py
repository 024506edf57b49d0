"""The chance of a yes: honest on day one, honest about the past, loaded only as registered."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.errors import Invalid
from crm.core.viewer import SYSTEM
from crm.interactions.models import Mode
from segments.asks.models import Ask, AskState
from segments.targeting import cases as learnt_from
from segments.targeting import evaluation, features, service, training
from segments.targeting.estimator import PriorShrunkLogistic
from segments.targeting.reasons import sentences
from tests.factories import Make

EVERYBODY = select(Alumnus.id)


def ask(make: Make, person: Alumnus, *, days_ago: float, state: AskState, **values: Any) -> Ask:
    """A finished ask, answered a day after it was sent."""
    asked_at = make.at - timedelta(days=days_ago)
    answered = asked_at + timedelta(days=1) if state is not AskState.NONE else None
    return make.save(
        Ask(
            alumnus_id=person.id, way_key="speak", state=state, asked_at=asked_at,
            answered_at=answered, reasons=[], **values,
        )
    )  # fmt: skip


@pytest.fixture
def history(make: Make) -> list[Alumnus]:
    """Sixty people asked five times each; those with talks behind them say yes more often."""
    draw = np.random.default_rng(7)
    school = make.school()
    people = [make.alumnus(f"P{n}", school=school, email=None) for n in range(60)]
    for n, person in enumerate(people):
        warm = n % 3 == 0
        if warm:
            make.interaction(person, days_ago=900, hours=2)
            make.interaction(person, days_ago=700)
        for k in range(5):
            yes = draw.random() < (0.7 if warm else 0.15)
            state = AskState.ACCEPTED if yes else AskState.DECLINED
            ask(make, person, days_ago=600 - 110 * k + n / 10, state=state)
    return people


def test_nothing_that_came_later_changes_a_feature(make: Make, session: Session) -> None:
    person = make.alumnus()
    make.interaction(person, days_ago=100)
    ask(make, person, days_ago=80, state=AskState.ACCEPTED)
    moment = make.at - timedelta(days=60)
    cases = features.people_cases(EVERYBODY, way_key="speak", at=moment)
    before = features.load(session, cases, base=0.15).x.copy()
    make.interaction(person, days_ago=60, hours=9, amount=500)
    make.interaction(person, days_ago=5)
    ask(make, person, days_ago=59, state=AskState.ACCEPTED)
    assert np.array_equal(before, features.load(session, cases, base=0.15).x)
    assert before[0, features.COLUMNS.index("yeses")] == 1


def test_an_answer_given_after_the_moment_is_not_known_yet(make: Make, session: Session) -> None:
    person = make.alumnus()
    ask(make, person, days_ago=10, state=AskState.ACCEPTED)
    soon_after = make.at - timedelta(days=9.5)
    cases = features.people_cases(EVERYBODY, way_key="speak", at=soon_after)
    x = features.load(session, cases, base=0.15).x[0]
    assert x[features.COLUMNS.index("asks")] == 1
    assert x[features.COLUMNS.index("yeses")] == 0


def test_machine_clicks_never_count(make: Make, session: Session) -> None:
    person = make.alumnus()
    cases = features.people_cases(EVERYBODY, way_key="speak", at=make.at)
    before = features.load(session, cases, base=0.15).x.copy()
    make.interaction(person, "link_clicked", Mode.COMMUNICATION, days_ago=2, machine=True)
    assert np.array_equal(before, features.load(session, cases, base=0.15).x)


def test_a_first_day_without_answers_ranks_by_recency_and_frequency(
    make: Make, session: Session
) -> None:
    school = make.school()
    cold = make.alumnus("Cold", school=school)
    old = make.alumnus("Old", school=school)
    warm = make.alumnus("Warm", school=school)
    make.interaction(old, days_ago=2000)
    for days in (20, 200, 400):
        make.interaction(warm, days_ago=days)
    scores = service.score_people(session, EVERYBODY, way_key="speak", at=make.at)
    ranked = [s.alumnus_id for s in sorted(scores, key=lambda s: -s.probability)]
    assert ranked == [warm.id, old.id, cold.id]
    assert all(0 < s.probability < 1 for s in scores)
    assert sentences([r.to_json() for r in scores[0].reasons])


def test_too_little_data_trains_nothing(make: Make, session: Session, runner: Any) -> None:
    ask(make, make.alumnus(), days_ago=10, state=AskState.ACCEPTED)
    assert training.train(session, way_key="speak", by=SYSTEM, at=make.at) is None
    result = runner.invoke(args=["asks", "train", "--way", "speak", "--json"])
    assert json.loads(result.output.strip().splitlines()[-1])["enough_data"] is False


def test_a_trained_model_goes_live_and_explains_itself(
    history: list[Alumnus], make: Make, session: Session
) -> None:
    record = training.train(session, way_key="speak", by=SYSTEM, at=make.at)
    assert record is not None
    assert record.live is record.card["beats_prior"]
    scores = {
        s.alumnus_id: s
        for s in service.score_people(session, EVERYBODY, way_key="speak", at=make.at)
    }
    warm = np.mean([scores[p.id].probability for n, p in enumerate(history) if n % 3 == 0])
    cold = np.mean([scores[p.id].probability for n, p in enumerate(history) if n % 3])
    assert warm > cold + 0.2


def test_contributions_sum_to_the_logit(
    history: list[Alumnus], make: Make, session: Session
) -> None:
    cases = learnt_from.training_cases(session, until=make.at)
    model = PriorShrunkLogistic(columns=cases.columns).fit(cases.x, cases.y)
    sums = model.contributions(cases.x).sum(axis=1) + model.intercept_
    assert np.allclose(sums, model.decision_function(cases.x))


def test_no_answers_leave_the_prior_and_many_overrule_it() -> None:
    draw = np.random.default_rng(1)
    x = draw.gamma(2.0, 20.0, size=(400, len(features.COLUMNS)))
    prior = PriorShrunkLogistic().fit_population(x)
    assert not prior.coef_.any()
    against = (x[:, features.COLUMNS.index("tenure")] > 40).astype(int)
    fitted = PriorShrunkLogistic(penalty=1.0).fit(x, against)
    assert fitted.coef_[features.COLUMNS.index("tenure")] > 0.5
    assert ((fitted.predict_proba(x)[:, 1] > 0.5) == against).mean() > 0.9


def test_a_model_survives_being_stored_and_an_altered_one_is_refused(
    history: list[Alumnus], make: Make, session: Session
) -> None:
    record = training.train(session, way_key="speak", by=SYSTEM, at=make.at)
    assert record is not None
    record.live = True
    session.flush()
    cases = learnt_from.training_cases(session, until=make.at)
    fitted = cases.learn()
    loaded = service.live_model(session, "speak")
    assert loaded is not None
    assert np.allclose(loaded[1].chances(cases.x), fitted.chances(cases.x))
    record.body = record.body.replace(b'"base": 0.15', b'"base": 0.95')
    session.flush()
    with pytest.raises(Invalid, match="not what was registered"):
        service.live_model(session, "speak")


def test_evaluation_splits_by_time_and_shows_the_rule_beside(
    history: list[Alumnus], make: Make, session: Session
) -> None:
    cut = make.at - timedelta(days=250)
    report = evaluation.evaluate(session, way_key="speak", holdout_from=cut, at=make.at)
    asks = list(session.scalars(select(Ask.asked_at)))
    assert report["train_rows"] == sum(a < cut for a in asks)
    assert report["test_rows"] == sum(a >= cut for a in asks)
    assert set(report["model"]) == set(report["baseline"])
    assert report["model"]["auc"] > 0.6
    assert 0 <= report["model"]["calibration_error"] < 0.5


def test_evaluation_of_nothing_says_so(session: Session, make: Make) -> None:
    report = evaluation.evaluate(session, way_key="*", holdout_from=make.at, at=make.at)
    assert report["enough_data"] is False
    assert report["model"] is None


def said_of(result: Any) -> set[str]:
    return {name for name, words in evaluation.WORDS.items() if words in result.stderr}


@pytest.mark.parametrize("state", [AskState.ACCEPTED, AskState.DECLINED])
def test_answers_of_one_kind_are_never_a_certainty(
    state: AskState, history: list[Alumnus], session: Session, make: Make
) -> None:
    """Nobody ever said no, or yes: the level stays short of it, and the figures are hints."""
    session.execute(update(Ask).values(state=state))
    until = make.at + timedelta(days=1)
    middle = session.scalars(select(Ask.asked_at).order_by(Ask.asked_at)).all()
    when = middle[len(middle) // 2]
    report = evaluation.evaluate(session, way_key="*", holdout_from=when, at=until)
    assert report["test_rows"] > 0
    assert 0.001 < report["model"]["calibration_error"] < 0.2
    assert report["enough_data"] is False
    assert report["model"]["auc"] is None


def test_the_command_says_where_the_plain_rule_does_as_well(
    history: list[Alumnus], runner: Any, make: Make, session: Session
) -> None:
    """A day on which everybody was like everybody else: neither can tell them apart."""
    first = make.at - timedelta(days=4000)
    for person in history:
        make.save(Ask(
            alumnus_id=person.id, way_key="tutor", asked_at=first, answered_at=first + timedelta(1),
            state=AskState.ACCEPTED if person.id % 3 else AskState.DECLINED,
        ))  # fmt: skip
    session.commit()
    until = first + timedelta(days=2)
    when = ["--holdout-from", (first - timedelta(days=1)).isoformat(), "--as-of", until.isoformat()]
    result = runner.invoke(args=["asks", "evaluate", "--json", *when])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert report["beats_baseline"] is False
    assert "ranks at least as well (AUC 0.500; the model's 0.500)" in result.stderr
    assert report["baseline_better_in"] == [n for n in report["model"] if n in said_of(result)]
    nothing = runner.invoke(args=["asks", "evaluate", "--holdout-from", "2099-01-01", "--json"])
    assert "nothing to measure" in nothing.stderr


def test_scores_are_written_with_reasons(
    history: list[Alumnus], runner: Any, tmp_path: Any, session: Session
) -> None:
    out = tmp_path / "scores.csv"
    result = runner.invoke(args=["asks", "score", "--way", "speak", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    lines = out.read_text().splitlines()
    assert lines[0] == "person_id,way,probability,reason_1,reason_2,reason_3"
    assert len(lines) == 61
