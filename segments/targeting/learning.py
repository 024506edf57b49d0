"""From answers to a model: prior, ridge shrunk towards it, an average with trees where that wins.

1. No answers: the prior on ranks.
2. Answers: a ridge logistic shrunk towards it. How strongly is chosen on the latest fifth of the
   answers once there are enough of them; before that strongly.
3. From 1,000 answers with 100 yeses on, a forest and boosted trees are averaged in, but only if the
   average beats the logistic alone on the latest fifth in log-loss, and does not rank worse.

Nothing is ever judged on rows that it was fitted to, and later rows never inform earlier ones. At
the end the intercept alone is fitted again with recent answers weighing more (half as much for each
year that passed), since rates of yeses drift faster than what tells people apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from segments.targeting.columns import Columns
from segments.targeting.estimator import PriorShrunkLogistic
from segments.targeting.features import DEFAULT_BASE, Matrix
from segments.targeting.trees import Trees, boosted, forest

Answers = NDArray[np.int64]
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0)
FIRST_PENALTY = 100.0
ALONE: tuple[float, ...] = (1.0,)
MIXES = ((0.34, 0.33, 0.33), (0.5, 0.25, 0.25), (0.5, 0.0, 0.5), (0.25, 0.25, 0.5), (0.0, 0.5, 0.5),
         (0.1, 0.1, 0.8), (0.7, 0.15, 0.15))  # fmt: skip
"""Weights of the linear layer, the forest and the boosted trees that are tried."""
ENOUGH_TO_CHOOSE = (400, 40)
ENOUGH_FOR_TREES = (1_000, 100)
LATEST = 0.2
LOST_AUC = 0.002
MOST_ROWS = 200_000
"""Of a longer history the latest so many answers are learnt from."""
HALF_LIFE = 365.0 * 86_400
STRENGTH = 20.0
"""So many answers at the rate of all years stand against a recent rate."""


@dataclass(frozen=True)
class Learnt:
    """A model: the linear layer, the trees averaged in (none, mostly), a shift of the logit.

    `weights` are those of the average: the linear layer's first, then one for each of `trees`.
    """

    linear: PriorShrunkLogistic
    trees: tuple[Trees, ...] = ()
    weights: tuple[float, ...] = (1.0,)
    shift: float = 0.0

    @property
    def columns(self) -> Columns:
        """Which columns its matrices have beyond the event history."""
        return self.linear.columns or Columns()

    def logits(self, x: Matrix) -> Matrix:
        """The logit of the chance of a yes of each row."""
        if not self.trees:
            return np.asarray(self.linear.decision_function(x) + self.shift)
        parts = [self.linear.predict_proba(x)[:, 1], *(trees.chances(x) for trees in self.trees)]
        mean = np.clip(np.average(parts, axis=0, weights=self.weights), 1e-6, 1 - 1e-6)
        return np.asarray(logit(mean) + self.shift)

    def chances(self, x: Matrix) -> Matrix:
        """The chance of a yes of each row, 0 to 1."""
        return np.asarray(expit(self.logits(x)))

    def to_json(self) -> dict[str, Any]:
        """Everything learnt, as plain JSON."""
        return {
            "linear": self.linear.to_json(), "trees": [t.to_json() for t in self.trees],
            "weights": list(self.weights), "shift": self.shift,
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; raises `ValueError` for a model of other features."""
        if "linear" not in body:
            raise ValueError("the model was trained on other features; train it again")
        trees = tuple(Trees.from_json(t) for t in body["trees"])
        linear, weights = PriorShrunkLogistic.from_json(body["linear"]), body["weights"]
        return cls(linear, trees, tuple(map(float, weights)), float(body["shift"]))


def prior(x: Matrix, *, rate: float = DEFAULT_BASE, columns: Columns | None = None) -> Learnt:
    """The prior on ranks among the people given, whose mean chance is `rate`; needs no answer."""
    return Learnt(PriorShrunkLogistic(base=rate, columns=columns).fit_population(x))


def learn(x: Matrix, y: Answers, at: Matrix, *, columns: Columns | None = None) -> Learnt:
    """The model that answers teach: rows oldest first, `at` when each was asked in seconds."""
    if not len(y):
        raise ValueError("there is nothing to learn from")
    x, y, at = x[-MOST_ROWS:], y[-MOST_ROWS:], at[-MOST_ROWS:]
    cut = int(len(y) * (1 - LATEST))
    penalty, weights = FIRST_PENALTY, ALONE
    if _enough(y, ENOUGH_TO_CHOOSE) and _both(y[:cut]) and _both(y[cut:]):
        penalty, weights = _choose(x, y, at, cut, columns)
    return _fit(x, y, at, penalty=penalty, weights=weights, columns=columns)


def _choose(
    x: Matrix, y: Answers, at: Matrix, cut: int, columns: Columns | None
) -> tuple[float, tuple[float, ...]]:
    """The penalty and the weights of the average that predict the latest answers best."""
    early, late = (x[:cut], y[:cut], at[:cut]), (x[cut:], y[cut:])
    fits = {p: _fit(*early, penalty=p, weights=ALONE, columns=columns) for p in PENALTIES}
    best = min(PENALTIES, key=lambda p: log_loss(fits[p].chances(late[0]), late[1]))
    if not _enough(early[1], ENOUGH_FOR_TREES):
        return best, ALONE
    trees = (forest(*early[:2]), boosted(*early[:2]))
    alone, chosen = fits[best], ALONE
    least = log_loss(alone.chances(late[0]), late[1])
    auc = roc_auc_score(late[1], alone.chances(late[0]))
    for weights in MIXES:
        mixed = _shifted(Learnt(alone.linear, trees, weights), *early)
        p = mixed.chances(late[0])
        if log_loss(p, late[1]) < least and roc_auc_score(late[1], p) >= auc - LOST_AUC:
            least, chosen = log_loss(p, late[1]), weights
    return best, chosen


def _fit(
    x: Matrix, y: Answers, at: Matrix, *, penalty: float, weights: tuple[float, ...],
    columns: Columns | None,
) -> Learnt:  # fmt: skip
    linear = PriorShrunkLogistic(penalty=penalty, columns=columns).fit(x, y)
    trees = () if weights == ALONE else (forest(x, y), boosted(x, y))
    return _shifted(Learnt(linear, trees, weights), x, y, at)


def _shifted(model: Learnt, x: Matrix, y: Answers, at: Matrix) -> Learnt:
    """The model with its mean chance at the rate of late, pulled towards that of all years."""
    weights = 0.5 ** ((at.max() - at) / HALF_LIFE)
    overall = float((y.sum() + 5 * DEFAULT_BASE) / (len(y) + 5))
    total = float(weights.sum())
    wanted = (float(weights @ y) + STRENGTH * overall) / (total + STRENGTH)
    logits = model.logits(x)
    low, high = -5.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        reached = float(weights @ expit(logits + middle)) / total
        low, high = (middle, high) if reached < wanted else (low, middle)
    return replace(model, shift=(low + high) / 2)


def _enough(y: Answers, least: tuple[int, int]) -> bool:
    return len(y) >= least[0] and int(y.sum()) >= least[1]


def _both(y: Answers) -> bool:
    return 0 < int(y.sum()) < len(y)


def log_loss(p: Matrix, y: Answers) -> float:
    """Mean negative log-likelihood in nats, chances clipped to [1e-6, 1 − 1e-6]."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())
