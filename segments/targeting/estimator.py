"""The chance of a yes: a shipped prior on ranks, and a ridge logistic model shrunk towards it.

The prior is a logistic model on percentile ranks of recency, frequency and amount, whose weights
hardly move between organisations (see docs/targeting.md); it needs no label. With labels,
logit P(yes) = prior(x) + b + z(x)·d, where d minimises log-loss + (penalty / 2)·‖d‖²: with no data
d = 0 and the prior stands; each answer pulls it away only as far as it must (a Gaussian prior on d,
e.g. Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2nd ed., 3.4.1).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_array, check_is_fitted, check_X_y

from segments.targeting.columns import Columns
from segments.targeting.features import COLUMNS, DEFAULT_BASE, Matrix

WEIGHTS = np.array([1.8, 1.5, 0.15])
"""The prior's weights of the ranks of recency, frequency and amount."""
FARTHEST = 4.0
KNOTS = np.linspace(0.0, 1.0, 101)


def recency_frequency_amount(x: Matrix) -> Matrix:
    """Three columns for ranking, each "more is more willing", from a feature matrix."""
    at = {name: n for n, name in enumerate(COLUMNS)}
    recency = -np.minimum(x[:, at["days_since_yes"]], x[:, at["days_since_contact"]])
    frequency = x[:, at["yeses"]] + x[:, at["deeds"]] + 0.1 * x[:, at["contacts"]]
    amount = x[:, at["hours"]] + x[:, at["amount"]] / 50.0
    return np.column_stack([recency, frequency, amount])


class PriorShrunkLogistic(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Ridge logistic regression whose zero point is the prior on ranks.

    `penalty` is the ridge weight on standardised features; `base` the expected rate of yeses where
    no label tells. `fit` takes a matrix with the given `columns` (those of `features.COLUMNS`
    first) and y of 0 and 1. The columns of ways are not standardised, so that a way with few asks
    stays near what all ways together say (partial pooling: Gelman & Hill, Data Analysis Using
    Regression and Multilevel/Hierarchical Models, 2007, 12).
    """

    def __init__(
        self, penalty: float = 30.0, base: float = DEFAULT_BASE, columns: Columns | None = None
    ) -> None:
        self.penalty = penalty
        self.base = base
        self.columns = columns

    def fit_population(self, X: Matrix) -> Self:  # noqa: N803 - scikit-learn's name
        """Learn ranks and scales from people, with no label: what a first day has."""
        X = check_array(X, dtype=np.float64)  # noqa: N806
        rfa = recency_frequency_amount(X)
        self.knots_ = np.quantile(rfa, KNOTS, axis=0)
        z = self._transform(X)
        self.typical_ = np.median(X, axis=0)
        self.center_ = z.mean(axis=0)
        self.scale_ = np.where(z.std(axis=0) > 1e-9, z.std(axis=0), 1.0)
        ways = slice(len(COLUMNS), len(COLUMNS) + len((self.columns or Columns()).ways))
        self.typical_[ways], self.center_[ways], self.scale_[ways] = 0.0, 0.0, 1.0
        self.coef_ = np.zeros(X.shape[1] + len(WEIGHTS))
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = X.shape[1]
        self.intercept_ = 0.0
        self.intercept_ = self._intercept_for(self._offset(X), self.base)
        return self

    def fit(self, X: Matrix, y: NDArray[np.int64]) -> Self:  # noqa: N803
        """Learn how far the answers lie from the prior."""
        X, y = check_X_y(X, y, dtype=np.float64)  # noqa: N806
        self.fit_population(X)
        offset, z = self._offset(X), self._layer(X)
        target = y.astype(np.float64)

        def loss(w: Matrix) -> tuple[float, Matrix]:
            linear = offset + w[0] + z @ w[1:]
            value = np.logaddexp(0.0, linear).sum() - (target * linear).sum()
            error = expit(linear) - target
            gradient = np.concatenate([[error.sum()], z.T @ error + self.penalty * w[1:]])
            return value + 0.5 * self.penalty * float(w[1:] @ w[1:]), gradient

        rate = (target.sum() + 5 * self.base) / (len(target) + 5)
        start = np.zeros(z.shape[1] + 1)
        start[0] = self._intercept_for(offset, rate)
        found = minimize(loss, start, jac=True, method="L-BFGS-B")
        self.intercept_, self.coef_ = float(found.x[0]), found.x[1:]
        return self

    def decision_function(self, X: Matrix) -> Matrix:  # noqa: N803
        """The logit of the chance, a value a row."""
        check_is_fitted(self, "coef_")
        X = check_array(X, dtype=np.float64)  # noqa: N806
        linear = self._offset(X) + self.intercept_ + self._layer(X) @ self.coef_
        return np.asarray(linear, dtype=np.float64)

    def predict_proba(self, X: Matrix) -> Matrix:  # noqa: N803
        """Chances of no and yes, two columns."""
        yes = expit(self.decision_function(X))
        return np.column_stack([1.0 - yes, yes])

    def predict(self, X: Matrix) -> NDArray[np.int64]:  # noqa: N803
        """1 where a yes is more likely than not."""
        return (self.decision_function(X) > 0).astype(np.int64)

    def contributions(self, X: Matrix, *, own: float = 1.0, plain: float = 0.0) -> Matrix:  # noqa: N803
        """What each feature adds to the logit beyond a typical person, then each rank.

        Shape (rows, features + 3: recency, frequency, amount); a row sums to the logit minus that
        of somebody typical. `own` and `plain` are how much of what was learnt and of the prior
        alone is wanted.
        """
        prior = np.concatenate([np.zeros(X.shape[1]), WEIGHTS])
        return np.asarray(self._layer(X) * (own * (self.coef_ + prior) + plain * prior))

    def ranked(self, X: Matrix) -> Matrix:  # noqa: N803
        """The prior's logit of each row but for its level."""
        return self._offset(check_array(X, dtype=np.float64))

    def _transform(self, X: Matrix) -> Matrix:  # noqa: N803
        """Counts and days on a log scale, so that the tenth yes weighs less than the first."""
        return np.asarray(np.sign(X) * np.log1p(np.abs(X)))

    def _standardised(self, X: Matrix) -> Matrix:  # noqa: N803
        """In standard deviations, bounded: what few had must not throw a row far out of sight."""
        z = (self._transform(X) - self.center_) / self.scale_
        return np.asarray(np.clip(z, -FARTHEST, FARTHEST))

    def _layer(self, X: Matrix) -> Matrix:  # noqa: N803
        """What the coefficients weigh: standardised features, then the three ranks around 0.

        The ranks are there so that enough answers can change their weights too.
        """
        return np.hstack([self._standardised(X), self._ranks(X) - 0.5])

    def _ranks(self, X: Matrix) -> Matrix:  # noqa: N803
        """Percentile ranks (0 to 1, ties in the middle) among the people learnt from."""
        rfa = recency_frequency_amount(X)
        found = np.empty_like(rfa)
        for n in range(rfa.shape[1]):
            knots = self.knots_[:, n]
            low = np.searchsorted(knots, rfa[:, n], side="left")
            high = np.searchsorted(knots, rfa[:, n], side="right")
            found[:, n] = np.clip((low + high) / 2.0 / len(knots), 0.0, 1.0)
        return found

    def _offset(self, X: Matrix) -> Matrix:  # noqa: N803
        return np.asarray((self._ranks(X) - 0.5) @ WEIGHTS)

    @staticmethod
    def _intercept_for(offset: Matrix, rate: float) -> float:
        """The intercept at which the mean chance is `rate` (bisection)."""
        rate = min(max(rate, 1e-4), 1 - 1e-4)
        low, high = logit(rate) - 10.0, logit(rate) + 10.0
        for _ in range(60):
            middle = (low + high) / 2.0
            low, high = (middle, high) if expit(offset + middle).mean() < rate else (low, middle)
        return float((low + high) / 2.0)

    def to_json(self) -> dict[str, Any]:
        """Everything learnt, as plain JSON: a model is loaded from this and never from a pickle."""
        check_is_fitted(self, "coef_")
        learnt = {
            "knots": self.knots_,
            "center": self.center_,
            "scale": self.scale_,
            "coef": self.coef_,
            "typical": self.typical_,
        }
        plain = {key: np.asarray(value).tolist() for key, value in learnt.items()}
        return {
            "columns": list(COLUMNS), "more": (self.columns or Columns()).to_json(),
            "penalty": self.penalty, "base": self.base, "intercept": self.intercept_, **plain,
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """A model as `to_json` wrote it; raises `ValueError` if its columns are not today's."""
        if tuple(body["columns"]) != COLUMNS or "more" not in body:
            raise ValueError("the model was trained on other features; train it again")
        columns = Columns.from_json(body["more"])
        model = cls(penalty=body["penalty"], base=body["base"], columns=columns)
        for key in ("knots", "center", "scale", "coef", "typical"):
            setattr(model, f"{key}_", np.asarray(body[key], dtype=np.float64))
        model.intercept_ = float(body["intercept"])
        model.classes_ = np.array([0, 1])
        model.n_features_in_ = len(columns.names)
        return model
