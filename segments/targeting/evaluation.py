"""Evaluation that cannot flatter: learn before a date, measure after it, beside the plain rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sqlalchemy.orm import Session

from segments.targeting.estimator import DEFAULT_BASE, PriorShrunkLogistic, recency_frequency_amount
from segments.targeting.features import Matrix
from segments.targeting.service import EVERY_WAY, Training, log_loss, training_cases

Answers = NDArray[np.int64]
BINS = 10


def evaluate(
    session: Session, *, way_key: str, holdout_from: datetime, at: datetime
) -> dict[str, Any]:
    """Figures on the asks from `holdout_from` on, of a model that saw only earlier ones.

    The recency-frequency rule stands beside it always. Figures that need both answers in the
    held-out asks are None without them.
    """
    every = training_cases(session, way_key=None if way_key == EVERY_WAY else way_key, until=at)
    early = every.asked_at < holdout_from.timestamp()
    train = Training(every.x[early], every.y[early], every.asked_at[early])
    test_x, test_y = every.x[~early], every.y[~early]
    report: dict[str, Any] = {
        "way": way_key, "train_rows": len(train.y), "test_rows": len(test_y),
        "base_rate": float(test_y.mean()) if len(test_y) else None,
        "enough_data": train.enough and len(test_y) >= 50 and int(test_y.sum()) >= 10,
    }  # fmt: skip
    if not len(train.y) or not len(test_y):
        return {**report, "model": None, "baseline": None, "beats_baseline": None}
    model = figures(model_chances(train, test_x), test_y)
    baseline = figures(rule_chances(train, test_x), test_y)
    report |= {"model": model, "baseline": baseline}
    ours, rule = model["auc"], baseline["auc"]
    report["beats_baseline"] = None if ours is None or rule is None else ours > rule
    return report


def model_chances(train: Training, x: Matrix) -> Matrix:
    """What our model says, or the prior when there is too little to learn from."""
    if train.enough:
        return yes_column(PriorShrunkLogistic().fit(train.x, train.y), x)
    rate = (float(train.y.sum()) + 5 * DEFAULT_BASE) / (len(train.y) + 5)
    return yes_column(PriorShrunkLogistic(base=rate).fit_population(train.x), x)


def yes_column(model: PriorShrunkLogistic, x: Matrix) -> Matrix:
    """The chances of a yes alone."""
    return np.asarray(model.predict_proba(x)[:, 1], dtype=np.float64)


def rule_chances(train: Training, x: Matrix) -> Matrix:
    """The recency-frequency rule: the two ranks added up, mapped to chances on the earlier asks."""

    def rule(matrix: Matrix) -> Matrix:
        columns = recency_frequency_amount(matrix)[:, :2]
        reference = recency_frequency_amount(train.x)[:, :2]
        ranks = [np.searchsorted(np.sort(reference[:, n]), columns[:, n]) for n in range(2)]
        return np.asarray(np.sum(ranks, axis=0), dtype=np.float64) / max(1, len(reference))

    if len(set(train.y.tolist())) < 2:
        return np.full(len(x), float(train.y.mean()))
    mapped = LogisticRegression().fit(rule(train.x).reshape(-1, 1), train.y)
    return np.asarray(mapped.predict_proba(rule(x).reshape(-1, 1))[:, 1], dtype=np.float64)


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
    ranks = rankdata(-p, method="average")
    weights = (
        np.clip(cut + 0.5 - ranks + 0.5, 0.0, 1.0) if len(set(p.tolist())) > 1 else np.ones(len(p))
    )
    return float((weights * y).sum() / weights.sum() / y.mean())
