"""What the model learns, from nothing to much, and that its reasons add up to what it says."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.imports.models import CustomField, CustomKind
from segments.asks.models import Ask, AskState
from segments.targeting import cases, evaluation, features, figures, trees
from segments.targeting.choosing import PENALTIES, Answers, first_penalty
from segments.targeting.columns import Columns, columns_now, is_protected
from segments.targeting.features import COLUMNS, Matrix
from segments.targeting.learning import Learnt, learn, prior
from segments.targeting.reasons import effects, reasons_for, sentences
from tests.factories import Make

WAYS = Columns(ways=("mentor", "speak"))


def invented(rows: int, seed: int = 3) -> tuple[Matrix, Answers, Matrix]:
    """People with deeds; a yes takes many of them and a last one neither too near nor too far."""
    draw = np.random.default_rng(seed)
    x = np.zeros((rows, len(WAYS.names)))
    at = {name: n for n, name in enumerate(WAYS.names)}
    x[:, at["deeds"]] = draw.poisson(2, rows)
    x[:, at["days_since_contact"]] = draw.uniform(1, 2000, rows)
    x[:, at["days_since_yes"]] = features.NEVER
    x[:, at["tenure"]] = draw.integers(0, 40, rows)
    x[:, at["way.speak"]] = draw.random(rows) < 0.5
    sweet = (np.abs(x[:, at["days_since_contact"]] - 700) < 250) & (x[:, at["deeds"]] >= 2)
    y = (draw.random(rows) < np.where(sweet, 0.7, 0.1)).astype(np.int64)
    return x, y, np.arange(rows) * 3600.0


def test_few_answers_hardly_move_the_prior() -> None:
    x, y, at = invented(100)
    told, plain = learn(x, y, at, columns=WAYS), prior(x, columns=WAYS)
    order = [np.argsort(np.argsort(m.chances(x))) for m in (told, plain)]
    assert np.corrcoef(*order)[0, 1] > 0.7
    assert abs(told.chances(x).mean() - y.mean()) < 0.1


def test_trees_are_averaged_in_where_they_win_and_left_out_where_not() -> None:
    x, y, at = invented(4000)
    bent = learn(x, y, at, columns=WAYS)
    assert bent.trees
    later, answers, _ = invented(2000, seed=4)
    alone = Learnt(bent.linear)
    assert roc_auc_score(answers, bent.chances(later)) > roc_auc_score(
        answers, alone.chances(later)
    )
    straight = (np.random.default_rng(5).random(4000) < prior(x, columns=WAYS).chances(x)).astype(
        np.int64
    )
    assert not learn(x, straight, at, columns=WAYS).trees


def test_trees_that_only_the_later_step_could_grow_are_judged_on_it_alone() -> None:
    x, y, at = invented(1500)
    assert learn(x, y, at, columns=WAYS).trees


def test_a_way_with_few_asks_borrows_from_the_rest() -> None:
    x, y, at = invented(1000)
    x[:, WAYS.names.index("way.speak")] = 1.0
    rare, always = x.copy(), y.copy()
    rare[-10:, WAYS.names.index("way.speak")], rare[-10:, WAYS.names.index("way.mentor")] = 0, 1
    always[-10:] = 1
    model = learn(rare, always, at, columns=WAYS)
    mentor = rare[:500].copy()
    mentor[:, WAYS.names.index("way.speak")], mentor[:, WAYS.names.index("way.mentor")] = 0, 1
    pooled = model.chances(mentor).mean()
    assert always[:500].mean() < pooled < 0.6


def test_trees_written_out_say_what_the_learner_says() -> None:
    x, y, _ = invented(1500)
    for kept, learner in (
        (trees.forest(x, y), RandomForestClassifier(
            trees.FOREST, min_samples_leaf=15, max_features="sqrt", random_state=trees.SEED)),
        (trees.boosted(x, y), HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=trees.BOOSTED, max_leaf_nodes=12, l2_regularization=1.0,
            min_samples_leaf=20, early_stopping=False, random_state=trees.SEED)),
    ):  # fmt: skip
        stored = trees.Trees.from_json(json.loads(json.dumps(kept.to_json())))
        assert np.allclose(stored.chances(x), learner.fit(x, y).predict_proba(x)[:, 1])


def test_the_moves_of_all_groups_add_up_to_the_chance_with_and_without_trees() -> None:
    x, y, at = invented(4000)
    bent = learn(x, y, at, columns=WAYS)
    typical = bent.linear.typical_.reshape(1, -1)
    moved = effects(bent, x[:200]).sum(axis=1)
    assert np.allclose(moved, bent.logits(x[:200]) - bent.logits(typical))
    alone = Learnt(bent.linear)
    level = float(bent.linear.intercept_)
    assert np.allclose(effects(alone, x[:200]).sum(axis=1) + level, alone.logits(x[:200]))
    for model in (bent, alone):
        assert sentences([r.to_json() for r in reasons_for(model, x[:1])[0]])


def test_a_marked_field_is_a_feature_and_a_protected_one_never(
    make: Make, session: Session
) -> None:
    for key, kind, marked in (
        ("donor_band", CustomKind.TEXT, True), ("score", CustomKind.NUMBER, True),
        ("gender", CustomKind.TEXT, True), ("club", CustomKind.TEXT, False),
    ):  # fmt: skip
        make.save(CustomField(key=key, label=key, kind=kind, targeting=marked, created_at=make.at))
    person = make.alumnus()
    person.custom = {"donor_band": "A", "score": "12.5", "gender": "x", "club": "chess"}
    session.flush()
    columns = columns_now(session)
    assert {n for n in columns.names if n.startswith("custom.")} == {
        "custom.donor_band=A", "custom.score", "custom.score?"
    }  # fmt: skip
    cases = features.people_cases(select(Alumnus.id), way_key="speak", at=make.at)
    x = features.load(session, cases, base=0.15, more=columns.of).x[0]
    row = dict(zip(columns.names, x, strict=True))
    assert (row["custom.donor_band=A"], row["custom.score"], row["custom.score?"]) == (1, 12.5, 0)
    assert row["way.speak"] == 1
    assert Columns.from_json(json.loads(json.dumps(columns.to_json()))) == columns


def test_protected_names_are_told_by_their_words() -> None:
    assert all(map(is_protected, ("Race", "home language", "zip-code", "student_gender", "age")))
    assert not any(map(is_protected, ("engagement", "page views", "stage", "trace")))


def test_without_an_earlier_answer_the_prior_is_what_is_measured(
    make: Make, session: Session
) -> None:
    school = make.school()
    for n in range(60):
        person = make.alumnus(f"P{n}", school=school, email=None)
        for _ in range(n % 4):
            make.interaction(person, days_ago=100 + n)
        at = make.at - timedelta(days=20)
        state = AskState.ACCEPTED if n % 4 > 1 else AskState.DECLINED
        make.save(Ask(
            alumnus_id=person.id, way_key="speak", state=state, asked_at=at,
            answered_at=at + timedelta(days=1), reasons=[],
        ))  # fmt: skip
    cut = make.at - timedelta(days=30)
    report = evaluation.evaluate(session, way_key="*", holdout_from=cut, at=make.at)
    assert report["train_rows"] == 0
    assert report["enough_data"] is False
    assert report["model"]["auc"] > 0.8
    assert report["baseline"]["auc"] > 0.8
    every = cases.training_cases(session, until=make.at)
    expected = prior(every.x, columns=every.columns).chances(every.x)
    assert report["model"]["auc"] == roc_auc_score(every.y, expected)


def test_ties_at_the_top_share_their_lift() -> None:
    y = np.array([1, 0] * 50)
    assert figures.lift(np.full(100, 0.3), y) == 1.0
    assert figures.lift(np.linspace(0, 1, 100), np.arange(100) // 90) == 10.0


def test_columns_begin_with_the_event_history() -> None:
    assert WAYS.names[: len(COLUMNS)] == COLUMNS


def test_a_hundred_answers_pull_less_than_three_hundred() -> None:
    assert first_penalty(100) > first_penalty(300) >= PENALTIES[1]
    x, _, at = invented(100)
    rng = np.random.default_rng(11)
    noise = (rng.random(100) < 0.3).astype(np.int64)
    told, plain = learn(x, noise, at, columns=WAYS), prior(x, columns=WAYS)
    later = invented(2000, seed=12)[0]
    order = [np.argsort(np.argsort(m.chances(later))) for m in (told, plain)]
    assert np.corrcoef(*order)[0, 1] > 0.8, "answers that say nothing must not reorder people"


def test_a_model_that_was_not_sure_enough_later_is_stretched() -> None:
    x, y, at = invented(4000)
    assert learn(x, y, at, columns=WAYS).slope > 1.02


def test_a_rate_that_falls_steadily_is_expected_to_fall_on() -> None:
    x, _, at = invented(4000)
    falling = expit(prior(x, columns=WAYS).logits(x) + 0.5 - 1.5 * np.arange(4000) / 4000)
    y = (np.random.default_rng(8).random(4000) < falling).astype(np.int64)
    model = learn(x, y, at, columns=WAYS)
    assert model.chances(x).mean() < y.mean() - 0.03
    steady = (np.random.default_rng(8).random(4000) < falling.mean()).astype(np.int64)
    assert abs(learn(x, steady, at, columns=WAYS).chances(x).mean() - steady.mean()) < 0.02


def test_the_order_of_a_file_is_no_drift_where_all_were_asked_on_one_day() -> None:
    x, y, _ = invented(4000)
    order = np.argsort(np.random.default_rng(9).normal(0, 1, 4000) - y)
    model = learn(x[order], y[order], np.zeros(4000), columns=WAYS)
    assert abs(model.chances(x).mean() - y.mean()) < 0.01
