"""Evaluation that cannot flatter: learn before a date, measure after it, beside the plain rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from segments.targeting.cases import Training, training_cases
from segments.targeting.choosing import Answers
from segments.targeting.features import COLUMNS, Matrix
from segments.targeting.figures import auc_interval, figures, rule_chances
from segments.targeting.learning import Learnt, prior

LESS_IS_BETTER = ("brier", "log_loss", "calibration_error")
WORDS = {
    "average_precision": "average precision", "brier": "Brier score", "log_loss": "log-loss",
    "calibration_error": "calibration error", "lift_top_decile": "lift of the best tenth",
}  # fmt: skip


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
        "enough_data": train.enough and test.y.size >= 50 and rarer(test.y) >= 10,
    }  # fmt: skip
    if not len(test.y):
        return {**report, "model": None, "baseline": None, "beats_baseline": None}
    learnt = model_of(train, test.x)
    ours, rule = learnt.chances(test.x), rule_chances(train.x, train.y, test.x)
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
    report["baseline_better_in"] = [
        name for name, value in model.items() if loses(name, value, baseline[name])
    ]
    return report


def rarer(y: Answers) -> int:
    """How many of the answers are of the rarer kind."""
    return int(np.bincount(y, minlength=2).min())


def loses(name: str, ours: float | None, rule: float | None) -> bool:
    """Whether the rule's figure is the better one."""
    if ours is None or rule is None:
        return False
    return ours > rule if name in LESS_IS_BETTER else ours < rule


def verdict(report: dict[str, Any]) -> str | None:
    """What must be said of the figures, if they do not speak for the model; None if they do."""
    if report["model"] is None:
        return "No asks were answered from that date on: there is nothing to measure."
    faults = []
    if not report["enough_data"]:
        faults.append("Too little data: take the figures as hints.")
    if report["beats_baseline"] is False:
        ours, rule = report["model"]["auc"], report["baseline"]["auc"]
        faults.append(
            "The plain rule of how lately and how often ranks at least as well "
            f"(AUC {rule:.3f}; the model's {ours:.3f})."
        )
    told = [(n, report["model"][n], report["baseline"][n]) for n in report["baseline_better_in"]]
    if others := [
        f"{WORDS[n]} {rule:.3f} (the model's {ours:.3f})" for n, ours, rule in told if n in WORDS
    ]:
        faults.append(f"The plain rule does better in {', '.join(others)}.")
    return " ".join(faults) or None


def model_of(train: Training, x: Matrix) -> Learnt:
    """What the earlier answers teach; without any the prior on ranks among those to be scored."""
    return train.learn() if len(train.y) else prior(x, columns=train.columns)
