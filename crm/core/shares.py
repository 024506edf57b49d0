"""Shares of two groups and what lies between them: of those treated, and of those kept aside.

The interval of a share is Wilson's (E. B. Wilson, JASA 22, 1927, 209-212), that of the difference
of two shares Newcombe's hybrid of two of them (R. G. Newcombe, Statistics in Medicine 17, 1998,
873-890, method 10), which stays within what shares can be and is good for few people too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

SURE = 0.95
Z = NormalDist().inv_cdf(0.5 + SURE / 2)


@dataclass(frozen=True)
class Group:
    """So many people, of whom so many reached the goal."""

    people: int
    reached: int

    @property
    def share(self) -> float:
        """The share that reached it; 0 of nobody."""
        return self.reached / self.people if self.people else 0.0


@dataclass(frozen=True)
class Lift:
    """How much more of one group reached the goal than of the other, with its 95 % interval."""

    treated: Group
    control: Group
    difference: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves no difference out."""
        return self.low > 0 or self.high < 0


def wilson(group: Group) -> tuple[float, float]:
    """The interval of a share; all there is where nobody was looked at."""
    return interval(group.share, group.people)


def interval(p: float, n: float) -> tuple[float, float]:
    """Wilson's interval of a share that is worth `n` people, who need be no whole number."""
    if n <= 0:
        return 0.0, 1.0
    middle = p + Z * Z / (2 * n)
    reach = Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    whole = 1 + Z * Z / n
    return max(0.0, (middle - reach) / whole), min(1.0, (middle + reach) / whole)


def lift(treated: Group, control: Group) -> Lift:
    """The difference of two shares with its interval."""
    (low_t, high_t), (low_c, high_c) = wilson(treated), wilson(control)
    p, q = treated.share, control.share
    low = p - q - sqrt((p - low_t) ** 2 + (high_c - q) ** 2)
    high = p - q + sqrt((high_t - p) ** 2 + (q - low_c) ** 2)
    return Lift(treated, control, p - q, max(-1.0, low), min(1.0, high))
