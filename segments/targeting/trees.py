"""Forests and boosted trees kept as plain arrays: learnt by scikit-learn, stored as JSON.

A model is loaded from what was recorded and never unpickled, so the trees are written out node by
node and walked here. Learners: `RandomForestClassifier` (leaves of at least 1 % of the rows, which
keeps its chances calibrated) and `HistGradientBoostingClassifier`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from segments.targeting.features import Matrix

FOREST, BOOSTED = 120, 120
LEAF_SHARE = 0.01
SEED = 2026
AT_ONCE = 500
"""So many rows go through all trees side by side; more would not stay in the processor's cache."""


@dataclass(frozen=True)
class Tree:
    """One tree: a row goes left where its feature is at most the threshold; -1 ends in a leaf."""

    feature: NDArray[np.int32]
    threshold: Matrix
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Matrix


@dataclass(frozen=True)
class Wood:
    """The nodes of many trees one after another: a leaf leads to itself, `roots` is where each
    tree begins."""

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: Matrix
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Matrix
    inner: NDArray[np.bool_]

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> Self:
        """The same trees side by side."""
        starts = np.cumsum([0, *(len(tree.left) for tree in trees[:-1])])
        both = list(zip(trees, starts, strict=True))
        left = np.concatenate([tree.left + start for tree, start in both])
        right = np.concatenate([tree.right + start for tree, start in both])
        inner = np.concatenate([tree.left >= 0 for tree in trees])
        here = np.arange(len(inner))
        joined = {
            name: np.concatenate([getattr(t, name) for t in trees])
            for name in ("feature", "threshold", "value")
        }
        return cls(
            starts.astype(np.int32), np.where(inner, joined["feature"], 0).astype(np.int32),
            joined["threshold"], np.where(inner, left, here).astype(np.int32),
            np.where(inner, right, here).astype(np.int32), joined["value"], inner,
        )  # fmt: skip

    def leaves(self, x: Matrix) -> Matrix:
        """The value of the leaf that each row ends in, a column for each tree."""
        node = np.tile(self.roots, (len(x), 1))
        rows = np.arange(len(x))[:, None]
        while self.inner[node].any():
            goes_left = x[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        return np.asarray(self.value[node])


@dataclass(frozen=True)
class Trees:
    """Many trees: their mean is the chance, or (boosted) the chance is of the sum and `start`."""

    trees: tuple[Tree, ...]
    boosted: bool
    start: float = 0.0

    @cached_property
    def _wood(self) -> Wood:
        return Wood.of(self.trees)

    def chances(self, x: Matrix) -> Matrix:
        """The chance of a yes of each row."""
        # Learners compare what is rounded to single precision, and so does the forest's copy.
        given = x if self.boosted else x.astype(np.float32).astype(np.float64)
        total = np.zeros(len(x))
        for start in range(0, len(x), AT_ONCE):
            for tree in self._wood.leaves(given[start : start + AT_ONCE]).T:
                total[start : start + AT_ONCE] += tree
        return np.asarray(expit(total + self.start) if self.boosted else total / len(self.trees))

    def logits(self, x: Matrix) -> Matrix:
        """The logit of the chance of a yes of each row, chances clipped to [1e-6, 1 − 1e-6]."""
        return np.asarray(logit(np.clip(self.chances(x), 1e-6, 1 - 1e-6)))

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        fields = ("feature", "threshold", "left", "right", "value")
        return {
            "boosted": self.boosted, "start": self.start,
            "trees": [{name: getattr(t, name).tolist() for name in fields} for t in self.trees],
        }  # fmt: skip

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        trees = tuple(
            Tree(
                np.asarray(t["feature"], dtype=np.int32), np.asarray(t["threshold"], dtype=float),
                np.asarray(t["left"], dtype=np.int32), np.asarray(t["right"], dtype=np.int32),
                np.asarray(t["value"], dtype=float),
            )
            for t in body["trees"]
        )  # fmt: skip
        return cls(trees, bool(body["boosted"]), float(body["start"]))


def forest(x: Matrix, y: NDArray[np.int64]) -> Trees:
    """A random forest of large leaves."""
    leaf = max(10, round(LEAF_SHARE * len(y)))
    learner = RandomForestClassifier(
        FOREST, min_samples_leaf=leaf, max_features="sqrt", random_state=SEED, n_jobs=1
    ).fit(x, y)
    trees = []
    for estimator in learner.estimators_:
        t = estimator.tree_
        shares = t.value[:, 0, :]
        trees.append(
            Tree(
                t.feature.astype(np.int32), t.threshold.astype(float),
                t.children_left.astype(np.int32), t.children_right.astype(np.int32),
                shares[:, 1] / shares.sum(axis=1),
            )
        )  # fmt: skip
    return Trees(tuple(trees), boosted=False)


def boosted(x: Matrix, y: NDArray[np.int64]) -> Trees:
    """Gradient boosting on histograms, slow and shallow."""
    learner = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=BOOSTED, max_leaf_nodes=12, l2_regularization=1.0,
        min_samples_leaf=max(20, round(0.002 * len(y))), early_stopping=False, random_state=SEED,
    ).fit(x, y)  # fmt: skip
    trees = []
    for (predictor,) in learner._predictors:
        n = predictor.nodes
        leaf = n["is_leaf"].astype(bool)
        trees.append(
            Tree(
                n["feature_idx"].astype(np.int32), n["num_threshold"].astype(float),
                np.where(leaf, -1, n["left"]).astype(np.int32),
                np.where(leaf, -1, n["right"]).astype(np.int32), n["value"].astype(float),
            )
        )  # fmt: skip
    return Trees(tuple(trees), boosted=True, start=float(np.ravel(learner._baseline_prediction)[0]))
