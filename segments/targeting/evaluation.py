"""Evaluation that cannot flatter: learn before a date, measure after it, beside the plain rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sqlalchemy.orm import Session

from segments.targeting.choosing import log_loss
from segments.targeting.estimator import recency_frequency_amount
from segments.targeting.features import COLUMNS, DEFAULT_BASE, Matrix
from segments.targeting.learning import Learnt, prior
from segments.targeting.service import Training, training_cases

Answers = NDArray[np.int64]
BINS = 10


def evaluate(
    session: Session, *, way_key: str, holdout_from: datetime, at: datetime
) -> dict[str, Any]:
    """Figures on the asks from `holdout_from` on, of a model that saw only earlier ones.

    The recency-frequency rule stands beside it always. Figures that need both answers in the
    held-out asks are None without them.
    """
    every = training_cases(session, until=at)
    early = every.asked_at < holdout_from.timestamp()
    train, mine = every.part(early), every.of(way_key)
    test = every.part(~early & mine)
    own = int((early & mine).sum())
    report: dict[str, Any] = {
        "way": way_key, "train_rows": own, "pooled_rows": len(train.y), "test_rows": len(test.y),
        "base_rate": float(test.y.mean()) if len(test.y) else None,
        "enough_data": train.enough and len(test.y) >= 50 and int(test.y.sum()) >= 10,
    }  # fmt: skip
    if not len(test.y):
        return {**report, "model": None, "baseline": None, "beats_baseline": None}
    learnt = model_of(train, test.x)
    ours, rule = learnt.chances(test.x), rule_chances(train, test.x)
    model, baseline = figures(ours, test.y), figures(rule, test.y)
    never = test.x[:, COLUMNS.index("asks")] == 0
    report |= {
        "model": model, "baseline": baseline, "trees": bool(learnt.trees),
        "auc_interval": auc_interval(ours, test.y),
        "never_asked": {"rows": int(never.sum()), **figures(ours[never], test.y[never])}
        if never.any() else {"rows": 0},
    }  # fmt: skip
    reached, plain = model["auc"], baseline["auc"]
    report["beats_baseline"] = None if reached is None or plain is None else reached > plain
    return report


def model_of(train: Training, x: Matrix) -> Learnt:
    """What the earlier answers teach; without any the prior on ranks among those to be scored."""
    return train.learn() if len(train.y) else prior(x, columns=train.columns)


def rule_chances(train: Training, x: Matrix) -> Matrix:
    """The recency-frequency rule: the two ranks added up, mapped to chances on the earlier asks."""
    known = train.x if len(train.y) else x

    def rule(matrix: Matrix) -> Matrix:
        columns = recency_frequency_amount(matrix)[:, :2]
        reference = recency_frequency_amount(known)[:, :2]
        ranks = [np.searchsorted(np.sort(reference[:, n]), columns[:, n]) for n in range(2)]
        return np.asarray(np.sum(ranks, axis=0), dtype=np.float64) / max(1, len(reference))

    if not len(train.y):
        return np.asarray(expit(logit(DEFAULT_BASE) + rule(x) - 1.0))
    if len(set(train.y.tolist())) < 2:
        return np.full(len(x), float(train.y.mean()))
    mapped = LogisticRegression().fit(rule(train.x).reshape(-1, 1), train.y)
    return np.asarray(mapped.predict_proba(rule(x).reshape(-1, 1))[:, 1], dtype=np.float64)


def auc_interval(p: Matrix, y: Answers) -> list[float] | None:
    """The middle 95 % of the AUC over 200 draws of the rows with replacement (the bootstrap)."""
    if not 0 < int(y.sum()) < len(y):
        return None
    draw = np.random.default_rng(len(y))
    found = []
    for _ in range(200):
        rows = draw.integers(0, len(y), len(y))
        if 0 < int(y[rows].sum()) < len(y):
            found.append(roc_auc_score(y[rows], p[rows]))
    return [float(v) for v in np.quantile(found, [0.025, 0.975])] if found else None


def figures(p: Matrix, y: Answers) -> dict[str, float | None]:
    """AUC, average precision, Brier, log-loss (nats), calibration error, lift of the top tenth."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    both = 0 < int(y.sum()) < len(y)
    return {
        "auc": float(roc_auc_score(y, p)) if both else None,
        "average_precision": float(average_precision_score(y, p)) if both else None,
        "brier": float(brier_score_loss(y, p)),
        "log_loss": log_loss(p, y),
        "calibration_error": calibration_error(p, y),
        "lift_top_decile": lift(p, y),
    }


def calibration_error(p: Matrix, y: Answers) -> float:
    """Expected calibration error over ten bins of equal size (Naeini, Cooper & Hauskrecht 2015)."""
    order = np.argsort(p, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(len(b) * abs(p[b].mean() - y[b].mean()) for b in bins) / len(y))


def lift(p: Matrix, y: Answers) -> float | None:
    """The rate of yeses among the tenth ranked highest over the rate among all; ties share."""
    if not y.sum():
        return None
    cut = max(1, len(y) // 10)
    values, group = np.unique(-p, return_inverse=True)
    shared = np.bincount(group, weights=y) / np.bincount(group, minlength=len(values))
    return float(shared[np.sort(group)[:cut]].mean() / y.mean())
