"""What is chosen on later answers: the penalty, the average's weights, the slope and the level.

Two steps forward in time: learnt from the first 60 % of the answers and looked at on the next
fifth, then learnt from 80 % and looked at on the last (forward validation: Hyndman &
Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., 5.10). Each choice is made on what
the steps say of rows that they did not learn from, with the level of each step set apart: a rate
that drifts must not decide what tells people apart. Models are averaged on the logit (Hinton,
Neural Computation 14, 2002, on products of experts), with weights drawn towards equal ones (stacked
regressions: Breiman, Machine Learning 24, 1996).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from segments.targeting.columns import Columns
from segments.targeting.estimator import PriorShrunkLogistic
from segments.targeting.features import DEFAULT_BASE, Matrix
from segments.targeting.trees import boosted, forest

Answers = NDArray[np.int64]
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0)
ALONE: tuple[float, ...] = (1.0,)
STEPS = ((0.6, 0.8), (0.8, 1.0))
STEP_ROWS = 60_000
"""A step learns from at most so many rows, the latest."""
ENOUGH_TO_CHOOSE = (400, 40)
ENOUGH_FOR_TREES = (1_000, 100)
ENOUGH_FOR_SLOPE = 100
LOST_AUC = 0.002
TO_EQUAL = 0.005
"""What weights far from equal ones cost, as a share of the log-loss."""
SLOPE_HELD = 100.0
"""So much (twice the weight of a squared distance) the slope is held at 1."""
FOLLOWED = 1.0
"""The part of a drift seen in both steps that is expected to go on."""


@dataclass(frozen=True)
class Chosen:
    """The penalty of the linear layer, the average's weights, and slope and shift of its logit."""

    penalty: float
    weights: tuple[float, ...] = ALONE
    slope: float = 1.0
    shift: float | None = None


@dataclass(frozen=True)
class Step:
    """What models that learnt before a moment say of the rows after it, as logits by name."""

    y: Answers
    logits: dict[str, Matrix]


def first_penalty(rows: int) -> float:
    """The penalty where there are too few answers to choose one: the fewer, the stronger.

    Measured on ten invented histories: at 100 answers 300 keeps within 0.01 AUC below the prior
    (100 lost up to 0.04), from 300 answers on 100 is as safe and gains more.
    """
    return float(np.clip(30_000.0 / max(1, rows), 100.0, 1_000.0))


def choose(x: Matrix, y: Answers, columns: Columns | None) -> Chosen:
    """What to fit the answers with; rows oldest first."""
    if not _enough(y, ENOUGH_TO_CHOOSE):
        return Chosen(first_penalty(len(y)))
    steps = [step for bounds in STEPS if (step := _step(x, y, columns, bounds)) is not None]
    if not steps:
        return Chosen(first_penalty(len(y)))
    best = min(PENALTIES, key=lambda p: _loss(steps, lambda s: s.logits[f"{p:g}"]))
    linear = f"{best:g}"
    with_trees = [s for s in steps if "forest" in s.logits]
    weights = _weights(with_trees, linear)
    if weights == ALONE:
        with_trees = steps

    def mixed(step: Step) -> Matrix:
        return step.logits[linear] if weights == ALONE else _mixed(step, linear, weights)

    slope = _slope(with_trees, mixed)
    return Chosen(best, weights, slope, _shift(with_trees, mixed, slope))


def _step(
    x: Matrix, y: Answers, columns: Columns | None, bounds: tuple[float, float]
) -> Step | None:
    """Learn before the first bound, look at what follows; None where an answer is missing."""
    cut, end = int(len(y) * bounds[0]), int(len(y) * bounds[1])
    early, late = slice(max(0, cut - STEP_ROWS), cut), slice(cut, end)
    if not (_both(y[early]) and _both(y[late])):
        return None
    found = {
        f"{p:g}": PriorShrunkLogistic(penalty=p, columns=columns)
        .fit(x[early], y[early])
        .decision_function(x[late])
        for p in PENALTIES
    }
    if _enough(y[early], ENOUGH_FOR_TREES):
        found["forest"] = forest(x[early], y[early]).logits(x[late])
        found["boosted"] = boosted(x[early], y[early]).logits(x[late])
    return Step(y[late], found)


def _weights(steps: Sequence[Step], linear: str) -> tuple[float, ...]:
    """The weights of linear layer, forest and boosted trees that do best on the steps.

    Only if that beats the linear layer alone in log-loss, and ranks no worse.
    """
    if not steps:
        return ALONE
    grid = [(a, b, 10 - a - b) for a in range(11) for b in range(11 - a)]
    alone = _loss(steps, lambda s: s.logits[linear])

    def cost(parts: tuple[int, int, int]) -> float:
        weights = tuple(part / 10 for part in parts)
        far = sum((w - 1 / 3) ** 2 for w in weights)
        return _loss(steps, lambda s: _mixed(s, linear, weights)) + TO_EQUAL * far * alone

    best = tuple(part / 10 for part in min(grid, key=cost))
    lost = np.mean([
        roc_auc_score(s.y, s.logits[linear]) - roc_auc_score(s.y, _mixed(s, linear, best))
        for s in steps
    ])  # fmt: skip
    wins = _loss(steps, lambda s: _mixed(s, linear, best)) < alone and lost <= LOST_AUC
    return best if wins and best[0] < 1 else ALONE


def _mixed(step: Step, linear: str, weights: tuple[float, ...]) -> Matrix:
    names = (linear, "forest", "boosted")
    return np.asarray(sum(w * step.logits[n] for w, n in zip(weights, names, strict=True)))


def _loss(steps: Sequence[Step], of: Callable[[Step], Matrix]) -> float:
    """The mean log-loss of the steps, each at its own level."""
    found = []
    for step in steps:
        logits = of(step)
        found.append(log_loss(expit(logits + level_for(logits, float(step.y.mean()))), step.y))
    return float(np.mean(found))


def _slope(steps: Sequence[Step], of: Callable[[Step], Matrix]) -> float:
    """How far logits must be stretched or squeezed to be as sure as they are right.

    By maximum likelihood with a level for each step, held towards 1; 1 with fewer than 100 yeses,
    where a fitted slope does more harm than good.
    """
    if sum(int(s.y.sum()) for s in steps) < ENOUGH_FOR_SLOPE:
        return 1.0

    def cost(w: Matrix) -> float:
        value = 0.5 * SLOPE_HELD * (w[0] - 1.0) ** 2
        for n, step in enumerate(steps, 1):
            linear = w[0] * of(step) + w[n]
            value += float(np.logaddexp(0.0, linear).sum() - (step.y * linear).sum())
        return float(value)

    start = np.concatenate([[1.0], np.zeros(len(steps))])
    return float(np.clip(minimize(cost, start, method="L-BFGS-B").x[0], 0.5, 1.5))


def _shift(steps: Sequence[Step], of: Callable[[Step], Matrix], slope: float) -> float | None:
    """What to add to the stretched logits: what stretching moved, and the drift to be expected.

    The drift is what each step lacked when it looked forward: if both lacked in the same direction,
    their mean; otherwise nothing. None with one step, which tells no direction.
    """
    if len(steps) < 2:
        return None
    lacked = [level_for(of(s), float(s.y.mean())) for s in steps]
    drift = float(np.mean(lacked)) if min(lacked) > 0 or max(lacked) < 0 else 0.0
    moved = [level_for(slope * of(s), float(expit(of(s)).mean())) for s in steps]
    return float(np.mean(moved)) + FOLLOWED * drift


def level_for(logits: Matrix, rate: float, weights: Matrix | None = None) -> float:
    """The shift of the logits at which their (weighted) mean chance is `rate`, within 10."""
    rate = min(max(rate, 1e-4), 1 - 1e-4)
    low, high = -10.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        reached = float(np.average(expit(logits + middle), weights=weights))
        low, high = (middle, high) if reached < rate else (low, middle)
    return (low + high) / 2


def shrunk_rate(y: Answers) -> float:
    """The share of yeses as if five more answers had come at the usual rate."""
    return float((y.sum() + 5 * DEFAULT_BASE) / (len(y) + 5))


def log_loss(p: Matrix, y: Answers) -> float:
    """Mean negative log-likelihood in nats, chances clipped to [1e-6, 1 − 1e-6]."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def _enough(y: Answers, least: tuple[int, int]) -> bool:
    return len(y) >= least[0] and int(y.sum()) >= least[1]


def _both(y: Answers) -> bool:
    return 0 < int(y.sum()) < len(y)
