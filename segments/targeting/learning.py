"""From answers to a model: prior, ridge shrunk towards it, an average with trees where that wins.

1. No answers: the prior on ranks.
2. Answers: a ridge logistic shrunk towards it. How strongly is chosen on later answers once there
   are enough of them; before that strongly.
3. From 1,000 answers with 100 yeses on, a forest and boosted trees are averaged in, but only if the
   average beats the logistic alone on later answers in log-loss, and does not rank worse.

Nothing is ever judged on rows that it was fitted to, and later rows never inform earlier ones
(`choosing`). With too few answers to see a drift, the level alone is fitted again with recent ones
weighing more (half as much for each year that passed).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.special import expit

from segments.targeting.choosing import ALONE, Answers, Chosen, choose, level_for, shrunk_rate
from segments.targeting.columns import Columns
from segments.targeting.estimator import PriorShrunkLogistic
from segments.targeting.features import DEFAULT_BASE, Matrix
from segments.targeting.trees import Trees, boosted, forest

MOST_ROWS = 200_000
"""Of a longer history the latest so many answers are learnt from."""
DAY = 86_400.0
HALF_LIFE = 365.0 * DAY
STRENGTH = 20.0
"""So many answers at the rate of all years stand against a recent rate."""


@dataclass(frozen=True)
class Learnt:
    """A model: the linear layer, trees averaged in (none, mostly), slope and shift of the logit.

    `weights` are those of the average (on the logit): the linear layer's first, then one for each
    of `trees`. `trust` is the part of the logit that is the model's own, the rest is the prior's
    with `plain` for its level: less than 1 where the drift watch has it step back. Neither is kept
    with the model.
    """

    linear: PriorShrunkLogistic
    trees: tuple[Trees, ...] = ()
    weights: tuple[float, ...] = ALONE
    shift: float = 0.0
    slope: float = 1.0
    trust: float = 1.0
    plain: float = 0.0

    @property
    def columns(self) -> Columns:
        """Which columns its matrices have beyond the event history."""
        return self.linear.columns or Columns()

    def logits(self, x: Matrix) -> Matrix:
        """The logit of the chance of a yes of each row."""
        mean = self.linear.decision_function(x)
        if self.trees:
            parts = [mean, *(trees.logits(x) for trees in self.trees)]
            mean = np.average(parts, axis=0, weights=self.weights)
        own = self.slope * mean + self.shift
        if self.trust < 1:
            own = self.trust * own + (1 - self.trust) * (self.linear.ranked(x) + self.plain)
        return np.asarray(own)

    def chances(self, x: Matrix) -> Matrix:
        """The chance of a yes of each row, 0 to 1."""
        return np.asarray(expit(self.logits(x)))

    def to_json(self) -> dict[str, Any]:
        """Everything learnt, as plain JSON."""
        return {
            "linear": self.linear.to_json(), "trees": [t.to_json() for t in self.trees],
            "weights": list(self.weights), "shift": self.shift, "slope": self.slope,
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `to_json` wrote; raises `ValueError` for a model of other features."""
        if "linear" not in body or "slope" not in body:
            raise ValueError("the model was trained by an earlier release; train it again")
        trees = tuple(Trees.from_json(t) for t in body["trees"])
        linear, weights = PriorShrunkLogistic.from_json(body["linear"]), body["weights"]
        return cls(
            linear, trees, tuple(map(float, weights)), float(body["shift"]), float(body["slope"])
        )


def prior(x: Matrix, *, rate: float = DEFAULT_BASE, columns: Columns | None = None) -> Learnt:
    """The prior on ranks among the people given, whose mean chance is `rate`; needs no answer."""
    return Learnt(PriorShrunkLogistic(base=rate, columns=columns).fit_population(x))


def learn(x: Matrix, y: Answers, at: Matrix, *, columns: Columns | None = None) -> Learnt:
    """The model that answers teach: rows oldest first, `at` when each was asked in seconds.

    Answers of one kind teach the level alone; without a bound the fit would make it a certainty.
    """
    if not len(y):
        raise ValueError("there is nothing to learn from")
    x, y, at = x[-MOST_ROWS:], y[-MOST_ROWS:], at[-MOST_ROWS:]
    if 0 in (int(y.sum()), int((1 - y).sum())):
        return prior(x, rate=shrunk_rate(y), columns=columns)
    chosen = _chosen(x, y, at, columns)
    linear = PriorShrunkLogistic(penalty=chosen.penalty, columns=columns).fit(x, y)
    trees = () if chosen.weights == ALONE else (forest(x, y), boosted(x, y))
    model = Learnt(linear, trees, chosen.weights, slope=chosen.slope)
    shift = _recent_shift(model, x, y, at) if chosen.shift is None else chosen.shift
    return replace(model, shift=shift)


def _chosen(x: Matrix, y: Answers, at: Matrix, columns: Columns | None) -> Chosen:
    """What to fit with. Asks of one day have no order but the file's, which tells of no drift."""
    if at.max() - at.min() >= DAY:
        return choose(x, y, columns)
    drawn = np.random.default_rng(len(y)).permutation(len(y))
    return replace(choose(x[drawn], y[drawn], columns), shift=None)


def _recent_shift(model: Learnt, x: Matrix, y: Answers, at: Matrix) -> float:
    """What brings the mean chance to the rate of late, pulled towards that of all years."""
    weights = 0.5 ** ((at.max() - at) / HALF_LIFE)
    overall = shrunk_rate(y)
    total = float(weights.sum())
    wanted = (float(weights @ y) + STRENGTH * overall) / (total + STRENGTH)
    return level_for(model.logits(x), wanted, weights)
