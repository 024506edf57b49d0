"""The drift watch: do the answers that came since a model was trained still fit its chances?

Two tests at 99 %, on answers to asks made after the training, with the chances that the model as it
was registered gives them. The number of yeses is a sum of independent draws with unequal chances,
the Poisson-binomial distribution, whose middle 99 % is taken from the normal one of its mean Σp and
variance Σp(1 − p) (Y. H. Wang, Statistica Sinica 3, 1993, 295-312; the spread of a calibration-in-
the-large test, D. J. Spiegelhalter, Statistics in Medicine 5, 1986, 421-433). And in five groups of
equal size by chance, Σ(observed − expected)² / variance against χ² with five degrees of freedom
(Hosmer, Lemeshow & Sturdivant, Applied Logistic Regression, 3rd ed. 2013, 5.2.2, for data that the
model did not see).

How far the worse of the two lies beyond its limit (1: on it) decides the weight of the model:
weight = min(1, 1 / beyond), never under a quarter. Within both limits it is 1; the farther beyond,
the less. The rest of the logit is the prior's. The level alone follows the first answers in any
case, by maximum likelihood held towards no shift (standard deviation 0.5).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from math import sqrt
from typing import Any

import numpy as np
from scipy.special import expit
from scipy.stats import chi2, norm
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.errors import Invalid
from segments.targeting.cases import training_cases
from segments.targeting.choosing import Answers, level_for
from segments.targeting.features import DEFAULT_BASE, Matrix
from segments.targeting.learning import Learnt
from segments.targeting.models import PropensityModel
from segments.targeting.service import loaded

ENOUGH = 30
"""With fewer answers since the training nothing is said."""
SURE = 0.99
LEAST_WEIGHT = 0.25
GROUPS = 5
HELD = 0.5
"""The standard deviation, in logits, of the shift of the level before any answer."""


@dataclass(frozen=True)
class Drift:
    """What the watch found: counts, the band of yeses to be expected, and what follows from it.

    `state` is few, steady or drifted; `beyond` how far outside its limit the worse test lies (1: on
    it); `weight` the part that the model keeps, `level` the shift of its logit, `plain` the level
    of the prior that has the rest.
    """

    state: str
    answers: int
    yeses: int
    expected: float = 0.0
    low: float = 0.0
    high: float = 0.0
    beyond: float = 0.0
    weight: float = 1.0
    level: float = 0.0
    plain: float = 0.0


def judge(p: Matrix, y: Answers) -> Drift:
    """The two tests on chances and answers."""
    answers, yeses = len(y), int(y.sum())
    if answers < ENOUGH:
        return Drift("few", answers, yeses)
    expected, spread = float(p.sum()), sqrt(float((p * (1 - p)).sum()))
    reach = float(norm.ppf(0.5 + SURE / 2))
    beyond = max(max(0.0, abs(yeses - expected) - 0.5) / (reach * max(spread, 1e-9)), _shape(p, y))
    return Drift(
        "drifted" if beyond > 1 else "steady", answers, yeses, round(expected, 2),
        low=round(max(0.0, expected - reach * spread), 1),
        high=round(min(float(answers), expected + reach * spread), 1),
        beyond=round(beyond, 4), weight=weight_for(beyond), level=refitted(p, y),
    )  # fmt: skip


def weight_for(beyond: float) -> float:
    """The part of the logit that the model keeps, at so far beyond the limit: 1 down to 0.25."""
    return round(max(LEAST_WEIGHT, min(1.0, 1.0 / beyond if beyond > 0 else 1.0)), 4)


def _shape(p: Matrix, y: Answers) -> float:
    """The Hosmer-Lemeshow statistic over its limit, as a root, to grow as the other does."""
    value = 0.0
    for part in np.array_split(np.argsort(p, kind="stable"), GROUPS):
        spread = float((p[part] * (1 - p[part])).sum())
        value += float(y[part].sum() - p[part].sum()) ** 2 / max(spread, 1e-9)
    return sqrt(value / float(chi2.ppf(SURE, GROUPS)))


def refitted(p: Matrix, y: Answers) -> float:
    """The shift of the level that the answers ask for, held towards none (bisection)."""
    logits = np.log(p) - np.log1p(-p)
    low, high = -5.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        slope = float(y.sum() - expit(logits + middle).sum()) - middle / HELD**2
        low, high = (middle, high) if slope > 0 else (low, middle)
    return round((low + high) / 2, 4)


def watch(session: Session, record: PropensityModel, *, at: datetime) -> Drift | None:
    """Look at one model and keep what was found with it; None if it cannot be loaded."""
    try:
        model = loaded(record)
    except (ValueError, Invalid):
        return None
    fresh = training_cases(
        session, until=at, since=record.trained_at, columns=model.columns
    )  # fmt: skip
    fresh = fresh.part(fresh.of(record.way_key))
    found = judge(np.clip(model.chances(fresh.x), 1e-6, 1 - 1e-6), fresh.y)
    told = asdict(found)
    if found.state != "few":
        told["plain"] = _plain(model, fresh.x, fresh.y)
    record.drift = {**told, "at": at.isoformat()}
    session.flush()
    return found


def _plain(model: Learnt, x: Matrix, y: Answers) -> float:
    """The level at which the prior's chances have the rate of these answers."""
    rate = (float(y.sum()) + 5 * DEFAULT_BASE) / (len(y) + 5)
    return round(level_for(model.linear.ranked(x), rate), 4)


def watch_all(session: Session, *, at: datetime) -> dict[str, Any]:
    """Look at every live model; answers what was found by way."""
    live = select(PropensityModel).where(PropensityModel.live).order_by(PropensityModel.way_key)
    return {record.way_key: watch(session, record, at=at) for record in session.scalars(live)}
