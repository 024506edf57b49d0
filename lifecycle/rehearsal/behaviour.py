"""How people answer: what was counted in the past, and chances drawn from it; no database."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

Key = tuple[str, str]
DEEDS = ("bounce", "complain", "leave", "click", "replied")
ASSUMED = {"bounce": 0.01, "complain": 0.0002, "leave": 0.003, "click": 0.03, "replied": 0.002}
"""What is taken where nothing was ever mailed."""
STRENGTH = 50
"""How many mails' worth of the overall rate stands behind that of one topic and stage."""
YEAR = timedelta(days=365)
EVENLY = (1 / 12,) * 12
SOON = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Tally:
    """So many tries and how often each deed came of them."""

    tries: int
    hits: Mapping[str, int]


@dataclass(frozen=True)
class Follow:
    """An interaction that came after a click, within two months: how often, and after how long.

    `days` are the nine deciles of the time between them.
    """

    kind: str
    mode: str
    hits: int
    clicks: int
    days: tuple[float, ...] = SOON


@dataclass(frozen=True)
class Own:
    """What people of a stage did of themselves in a year: `hits` by all of them together."""

    kind: str
    mode: str
    stage: str
    hits: int
    people: int


@dataclass(frozen=True)
class History:
    """What a district's people did so far.

    `mails` is by topic and by the stage somebody stood at when it went; `delays` are deciles in
    days; `months` says how what people do of themselves spreads over the year.
    """

    mails: Mapping[Key, Tally] = field(default_factory=dict)
    follows: tuple[Follow, ...] = ()
    own: tuple[Own, ...] = ()
    delays: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    months: tuple[float, ...] = EVENLY

    @property
    def mailed(self) -> int:
        """How many mails the rates were counted over."""
        return sum(tally.tries for tally in self.mails.values())

    def overall(self, deed: str) -> float:
        """The rate over all mails; an assumed one where there were too few to say anything."""
        hits = sum(tally.hits.get(deed, 0) for tally in self.mails.values())
        return (hits + STRENGTH * ASSUMED[deed]) / (self.mailed + STRENGTH)

    def to_json(self) -> dict[str, Any]:
        """The rates as a reader of the result wants them."""
        return {
            "mails": self.mailed,
            "rates": {deed: round(self.overall(deed), 5) for deed in DEEDS},
            "after_click": {f.kind: round(f.hits / f.clicks, 4) for f in self.follows if f.clicks},
        }


class Chances:
    """One possible world: each rate drawn once from what the counts allow, by a seed."""

    def __init__(self, history: History, seed: int) -> None:
        self.history, self.seed = history, seed
        self.drawn: dict[tuple[str, str, str], float] = {}
        self.follows = [
            (follow, self._draw(follow.kind, follow.hits, follow.clicks, 0.5, 1.0))
            for follow in history.follows
        ]

    def of(self, deed: str, topic: str, stage: str) -> float:
        """The chance that a mail about the topic to somebody of the stage brings the deed."""
        key = (deed, topic, stage)
        if key not in self.drawn:
            tally = self.history.mails.get((topic, stage), Tally(0, {}))
            prior = STRENGTH * self.history.overall(deed)
            hits = tally.hits.get(deed, 0)
            self.drawn[key] = self._draw(key, hits, tally.tries, prior, STRENGTH)
        return self.drawn[key]

    def _draw(self, key: object, hits: int, tries: int, prior: float, strength: float) -> float:
        """A rate that the counts allow (beta), by a name of its own: the order does not matter."""
        misses = max(tries - hits, 0) + max(strength - prior, 1e-6)
        random = Random(f"{self.seed}:{key!r}")
        return random.betavariate(hits + max(prior, 1e-6), misses)


def draws(*what: object) -> Sequence[float]:
    """Eight even draws between 0 and 1, the same whenever asked with the same words."""
    digest = hashlib.blake2b(repr(what).encode(), digest_size=32).digest()
    return [int.from_bytes(digest[n : n + 4]) / 2**32 for n in range(0, 32, 4)]


def after(days: Sequence[float], draw: float) -> timedelta:
    """How long until it happens: a draw read off the nine deciles, straight between them."""
    points = [0.0, *days, days[-1] * 1.5]
    place = draw * (len(points) - 1)
    low = int(place)
    share = place - low
    return timedelta(days=points[low] + (points[low + 1] - points[low]) * share)


def own_deeds(
    history: History, people: Mapping[str, Sequence[int]], start: datetime, until: datetime,
    random: Random,
) -> list[tuple[datetime, int, Own]]:  # fmt: skip
    """When who does what of themselves between two moments, by the stage they start at."""
    found = []
    most = max(history.months)
    for own in history.own:
        ids = people.get(own.stage, ())
        if not ids or not own.people:
            continue
        mean = len(ids) * own.hits / own.people * ((until - start) / YEAR)
        for _ in range(poisson(random, mean)):
            moment = start + (until - start) * random.random()
            while random.random() * most > history.months[moment.month - 1]:
                moment = start + (until - start) * random.random()
            found.append((moment, ids[random.randrange(len(ids))], own))
    return found


def poisson(random: Random, mean: float) -> int:
    """How often something happens that happens `mean` times on average."""
    if mean > 50:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    count, left = 0, math.exp(-mean)
    product = random.random()
    while product > left:
        count += 1
        product *= random.random()
    return count
