"""How large a wave must be so that the places are filled in time with as few asks as possible.

Whoever is asked says yes independently with a calibrated chance, and in time with the share of
yeses that come before the hold ends. The number of yeses of a group is then Poisson-binomial; its
distribution comes from the exact recursion over people, f(j) ← f(j)·(1 − p) + f(j − 1)·p (Hong, On
computing the distribution function for the Poisson binomial distribution, Computational Statistics
& Data Analysis 59, 2013, 41-51, section 2.4; Chen & Liu, Statistica Sinica 7, 1997, 875-892). With
waves of n people each, of which r still fit before the date, the places are filled in time exactly
if the first r·n people give enough yeses: stopping early saves asks and loses no yes. So the wave
is the smallest n whose r·n people reach the chance that the district wants. After each wave it is
worked out anew with the yeses that came, so that what is asked later can only become less.

Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from math import ceil, exp, log

from segments.asks.rules import SOONEST, hold_until
from segments.asks.service import MOST_IN_A_WAVE

MOST_ROUNDS = 40
USUAL_DELAY = timedelta(hours=24)
"""Half of the yeses come within this time where no history says otherwise."""


class Circle(IntEnum):
    """How near to a school somebody stands: it is asked among its own first."""

    SCHOOL = 0
    CLUSTER = 1
    DISTRICT = 2


@dataclass(frozen=True)
class Plan:
    """A wave of `size` people, and what comes of it if waves as large follow while they fit.

    `filled` is the chance (0 to 1) that every place is filled in time, `asks` the expected number
    of people asked and `days` the expected days until the last hold that was needed has ended,
    both with no further wave once the places are full. `reached`: `filled` is what was wanted.
    """

    size: int
    rounds: int
    filled: float
    asks: float
    days: float
    reached: bool


def holds_ahead(at: datetime, starts: Sequence[datetime]) -> tuple[timedelta, ...]:
    """The lengths of the holds that fit one after another before the last date, longest first."""
    found: list[timedelta] = []
    while starts and max(starts) >= at + SOONEST and len(found) < MOST_ROUNDS:
        until = hold_until(at, starts)
        found.append(until - at)
        at = until
    return tuple(found)


def usual_share(hold: timedelta) -> float:
    """The share of yeses that come within a hold, where half come in `USUAL_DELAY`."""
    return 1.0 - exp(-log(2.0) * (hold / USUAL_DELAY))


def yeses(chances: Sequence[float], most: int) -> list[float]:
    """The distribution of the number of yeses: chances of 0 to `most` − 1, and of `most` or more.

    Exact, in O(people × most); see the module for its source.
    """
    found = [1.0] + [0.0] * most
    for p in chances:
        if most:
            found[most] += found[most - 1] * p
        for j in range(most - 1, 0, -1):
            found[j] = found[j] * (1.0 - p) + found[j - 1] * p
        found[0] *= 1.0 - p if most else 1.0
    return found


def chance_filled(chances: Sequence[float], places: int) -> float:
    """The chance that at least so many of these people say yes."""
    return yeses(chances, places)[places]


def most_at_once(places: int) -> int:
    """The largest wave for so many places: small waves with short holds beat one large mailing."""
    return min(MOST_IN_A_WAVE, 5 * places + 2) if places > 0 else 0


def in_time(chances: Sequence[float], within: Sequence[float], size: int) -> list[float]:
    """The chances of a yes in time of those whom waves of `size` reach, first wave first.

    `within` is for each wave the share of yeses that come before its hold ends.
    """
    reached = chances[: size * len(within)]
    return [p * within[n // size] for n, p in enumerate(reached)]


def wave_size(chances: Sequence[float], places: int, within: Sequence[float], target: float) -> int:
    """How many of the people (in the order in which they would be asked) to ask now.

    The smallest number whose waves reach the target, where a yes is in time with the mean of
    `within`; where none does, what it takes to reach everybody in the waves that fit, since
    stopping early loses no yes here either. 0 without a place, a person or a wave that fits.
    """
    if not within or places < 1:
        return 0
    rounds, share = len(within), sum(within) / len(within)
    ready = [p * share for p in chances]
    most = min(most_at_once(places), ceil(len(chances) / rounds))
    for size in range(1, most):
        if chance_filled(ready[: size * rounds], places) >= target:
            return size
    return most


def outlook(
    chances: Sequence[float], places: int, within: Sequence[float], days: Sequence[float],
    size: int, *, target: float,
) -> Plan:  # fmt: skip
    """What comes of waves of `size`; `days` is how long each hold lasts."""
    if size < 1 or not within:
        return Plan(0, len(within), float(places < 1), 0.0, 0.0, places < 1)
    left = [0.0] * places + [1.0]  # by places still free
    asks = waited = 0.0
    ready = in_time(chances, within, size)
    for n, hold in enumerate(days[: len(within)]):
        wave, open_still = ready[n * size : (n + 1) * size], sum(left[1:])
        if not wave:
            break
        asks += len(wave) * open_still
        waited += hold * open_still
        left = _after(left, wave)
    return Plan(size, len(within), left[0], asks, waited, left[0] >= target)


def _after(left: Sequence[float], wave: Sequence[float]) -> list[float]:
    """The distribution of places still free after a wave."""
    found = list(left)
    for p in wave:
        for free in range(1, len(found)):
            found[free - 1] += found[free] * p
            found[free] *= 1.0 - p
    return found


def circle_of(
    chances: Mapping[Circle, Sequence[float]], places: int, within: Sequence[float], target: float
) -> Circle:
    """The narrowest circle whose people reach the target in the waves that still fit.

    `chances` are those of everybody within each circle, the nearer ones included. The rule for
    moving on: while the own school's people suffice only they are asked; once they do not (too
    few, asked already, or too little time left) the cluster's are asked too, then the district's.
    """
    size = most_at_once(places)
    for circle in (Circle.SCHOOL, Circle.CLUSTER):
        people = in_time(chances.get(circle, ()), within, size) if size and within else []
        if people and chance_filled(people, places) >= target:
            return circle
    return Circle.DISTRICT
