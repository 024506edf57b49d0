"""Figures of a model on answers that it did not learn from, and of the plain rule beside it.

Pure functions of chances `p` (0 to 1) and answers `y` (0 or 1), arrays of one length.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from crm.core.shares import Group, wilson
from segments.targeting.choosing import Answers, log_loss, shrunk_rate
from segments.targeting.estimator import recency_frequency_amount
from segments.targeting.features import DEFAULT_BASE, Matrix

BINS = 10


def rule_chances(known_x: Matrix, known_y: Answers, x: Matrix) -> Matrix:
    """The recency-frequency rule: the two ranks added up, mapped to chances on the earlier asks."""
    known = known_x if len(known_y) else x

    def rule(matrix: Matrix) -> Matrix:
        columns = recency_frequency_amount(matrix)[:, :2]
        reference = recency_frequency_amount(known)[:, :2]
        ranks = [np.searchsorted(np.sort(reference[:, n]), columns[:, n]) for n in range(2)]
        return np.asarray(np.sum(ranks, axis=0), dtype=np.float64) / max(1, len(reference))

    if not len(known_y):
        return np.asarray(expit(logit(DEFAULT_BASE) + rule(x) - 1.0))
    if len(set(known_y.tolist())) < 2:
        return np.full(len(x), shrunk_rate(known_y))
    mapped = LogisticRegression().fit(rule(known_x).reshape(-1, 1), known_y)
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


def calibration_curve(p: Matrix, y: Answers) -> list[dict[str, Any]]:
    """Ten bins of equal size by chance: the mean chance, the rate with its interval, the counts.

    The intervals are Wilson's of 95 %. Fewer bins where a bin would have fewer than 20 rows.
    """
    order = np.argsort(p, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(y) // 20)))
    found = []
    for part in (b for b in bins if len(b)):
        yeses = int(y[part].sum())
        low, high = wilson(Group(len(part), yeses))
        found.append({
            "rows": len(part), "yeses": yeses, "chance": round(float(p[part].mean()), 5),
            "rate": round(yeses / len(part), 5), "low": round(low, 5), "high": round(high, 5),
        })  # fmt: skip
    return found


def tenths(p: Matrix, y: Answers) -> list[dict[str, Any]]:
    """The rate of yeses of each tenth, the highest first, and its lift over the rate of all.

    People with one chance share the rate of their group, so that ties flatter no tenth.
    """
    values, group = np.unique(-p, return_inverse=True)
    shared = np.bincount(group, weights=y) / np.bincount(group, minlength=len(values))
    ordered, whole = shared[np.sort(group)], float(y.mean())
    return [
        {
            "rows": len(part), "yeses": round(float(part.sum()), 1),
            "rate": round(float(part.mean()), 5),
            "lift": round(float(part.mean()) / whole, 3) if whole else None,
        }
        for part in np.array_split(ordered, min(BINS, len(ordered)))
    ]  # fmt: skip
