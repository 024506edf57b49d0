"""The chance that two records are one person: evidence weighed as in record linkage.

Fellegi and Sunter (1969): each comparison's level is so much likelier among pairs of one person
(`m`) than among pairs of two (`u`), and the logarithms of these ratios add up. `u` is counted over
pairs drawn from the district's own people, and the same name weighs more the rarer it is. Beside
one person and two strangers there is a third answer, two people of one household: brothers, sisters
and twins share the family name, the street, the telephone and the school, and perhaps the birth
date, but not the given name (`kin`). `m` and the shares of all three are estimated over the
candidate pairs by expectation and maximisation (Winkler 1988), held near the values that ship.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crm.duplicates.columns import Codes, People
from crm.duplicates.comparing import COLUMN, LEVELS, Compared, compare

SHIPPED = Path(__file__).with_name("weights.json")
DRAWN = 400_000
ROUNDS = 25
FEW, USUAL = 300, 0.003
"""So many people are taken to bear each name as seldom as usual, so that a handful of records does
not make every name of theirs a common one."""
RAREST = 1e-5
"""No text counts as rarer than this, so that a typing error shared by two proves not too much."""
COMMON = ("given", "family", "street")
"""Comparisons whose `same` depends on how common the text is."""
FIXED = frozenset({"id"})
"""Comparisons whose `m` nobody can learn from pairs alone."""
Numbers = NDArray[np.float64]
Weights = dict[str, Numbers]


@cache
def shipped() -> Mapping[str, Any]:
    """What ships with the program: `m` by comparison, how firmly it is held, the prior."""
    found: Mapping[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Model:
    """`m`, `u` and `kin` by comparison (a share for each level), how common texts are, and which
    share of all pairs is one person (`prior`), and which two of one household (`kinship`)."""

    m: Weights
    u: Weights
    kin: Weights
    shares: NDArray[np.float64]
    prior: float
    kinship: float

    def as_json(self) -> dict[str, Any]:
        """What is kept of a pass, so that a later one over few people weighs alike."""
        plain = {
            name: {k: [round(float(x), 9) for x in v] for k, v in weights.items()}
            for name, weights in (("m", self.m), ("u", self.u))
        }
        return {**plain, "prior": self.prior, "kinship": self.kinship}

    def evidence(self, compared: Compared, weights: Weights) -> Numbers:
        """The logarithm of how much likelier each pair is by these weights than by `u`."""
        found = np.zeros(len(compared.levels))
        for name in LEVELS:
            level = compared.levels[:, COLUMN[name]]
            weight = np.concatenate([[0.0], np.log(weights[name] / self.u[name])])[level]
            if name in COMMON:
                code: Codes = getattr(compared, name)
                here = np.flatnonzero(code >= 0)
                shares = np.maximum(self.shares[code[here]], RAREST)
                weight[here] = np.log(weights[name][0]) - np.log(shares)
            found += weight
        return found

    def chances(self, compared: Compared) -> tuple[Numbers, Numbers]:
        """The chance, 0 to 1, of each pair to be one person, and to be two of one household."""
        one = np.log(self.prior) + self.evidence(compared, self.m)
        kin = np.log(self.kinship) + self.evidence(compared, self.kin)
        most = np.maximum(np.maximum(one, kin), 0)
        parts = [np.exp(one - most), np.exp(kin - most)]
        whole = parts[0] + parts[1] + (1 - self.prior - self.kinship) * np.exp(-most)
        return parts[0] / whole, parts[1] / whole


def start(people: People) -> Model:
    """The shipped weights, with `u` counted over pairs drawn from these people."""
    m, kin = (_weights(shipped()[name]) for name in ("m", "kin"))
    pairs = max(people.count * (people.count - 1) / 2, 1)
    prior, kinship = (
        min(shipped()[name] * people.count / pairs, 0.1) for name in ("doubled", "related")
    )
    return Model(m, _drawn(people), kin, _shares(people), prior, kinship)


def _weights(plain: Mapping[str, Any]) -> Weights:
    return {name: np.array(plain[name], dtype=float) for name in LEVELS}


def _shares(people: People) -> NDArray[np.float64]:
    """For each text, the share of people who have it."""
    found = np.zeros(len(people.texts.known) + 1)
    for column in (people.given, people.family, people.street):
        codes = column.ravel()
        found += np.bincount(codes[codes >= 0], minlength=len(found))
    return (found + FEW * USUAL) / (people.count + FEW)


def _drawn(people: People) -> Weights:
    """`u`: how often each level comes among pairs drawn at random, held near what ships."""
    draw = np.random.default_rng(people.count)
    size = min(DRAWN, 10_000 + 20 * people.count)
    one, other = (draw.integers(0, people.count, size) for _ in range(2))
    apart = one != other
    levels = compare(people, one[apart], other[apart]).levels
    found, firm = {}, float(shipped()["firmness_of_u"])
    # A pair drawn twice is not two pairs: few people tell little, however often they are drawn.
    told = min(1.0, people.count * (people.count - 1) / 2 / max(len(levels), 1))
    for name, words in LEVELS.items():
        counts = told * np.bincount(levels[:, COLUMN[name]], minlength=len(words) + 1)[1:]
        base = np.array(shipped()["u"][name], dtype=float)
        found[name] = (counts + firm * base) / (counts.sum() + firm)
    return found


def learn(model: Model, compared: Compared, count: int, sampled: float) -> Model:
    """`m` and the two priors anew from candidate pairs, `sampled` the share of all candidates.

    `count` people make so many pairs; those that share no key count as two strangers.
    """
    firmness, m0 = float(shipped()["firmness"]), model.m
    pairs = max(count * (count - 1) / 2, 1)
    few = float(shipped()["related_at_least"]) * count
    for _ in range(ROUNDS):
        one, kin = model.chances(compared)
        m = {}
        for name, words in LEVELS.items():
            level = compared.levels[:, COLUMN[name]]
            counts = np.bincount(level, weights=one, minlength=len(words) + 1)[1:]
            held = counts + firmness * m0[name]
            m[name] = m0[name] if name in FIXED else held / held.sum()
        prior = min((one.sum() / sampled + 1) / pairs, 0.1)
        kinship = min((kin.sum() / sampled + few) / pairs, 0.1)
        model = replace(model, m=m, prior=prior, kinship=kinship)
    return model


def recalled(model: Model, kept: Mapping[str, Any]) -> Model:
    """The model with the `m` and the priors of an earlier pass over everybody."""
    return replace(
        model, m=_weights(kept["m"]), prior=float(kept["prior"]), kinship=float(kept["kinship"])
    )
