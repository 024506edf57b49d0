"""Whether ranking finds more yeses than chance: the ranked beside those whom the desk drew.

Each place of a wave is given by draw with the same chance, a tenth, whatever the request
(`segments.desk.waves.explored`), and the rest to the best ranked; so the same requests, days and
ways stand on both sides. The chance that whoever was drawn had, once a wave drew, is kept beside
the ask (`propensity`; 1 for the ranked). Only the desk's waves count, and asks that ended by a yes,
a no or silence, as the model learns from. An ask whose place somebody else took first tells
nothing.

*Ranked against drawn* is the difference of their rates of yeses, with Newcombe's interval
(`crm.core.shares`). The drawn come from whom the rank left, so that says more than what ranking
gains over a draw from everybody. *A draw from everybody* is therefore estimated besides, from the
waves that drew somebody: those asked in them are a sample of all who could be asked, the ranked
taken for sure and the rest with their chances, and the weighted mean of the answers,
sum(y/p) / sum(1/p), is Hájek's estimate of the rate among all of them (J. Hájek, discussion of
D. Basu in Foundations of Statistical Inference, ed. V. P. Godambe and D. A. Sprott, 1971, p. 236;
C.-E. Särndal, B. Swensson and J. Wretman, Model Assisted Survey Sampling, 1992, section 5.7). Its
interval is Wilson's for as many answers as the weights are worth, (sum w)² / sum w² (L. Kish,
Survey Sampling, 1965, section 11.7; so used by E. L. Korn and B. I. Graubard, Survey Methodology
24, 1998, 193-201).

With fewer than `LEAST` answers on either side neither is said: it would be luck. What no figure
takes out: the office may leave out whom the desk drew or tick somebody else, who counts as ranked;
and where so few could be asked that a wave took them all, there was nothing to draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core import shares
from crm.core.shares import Group
from crm.core.viewer import Viewer
from segments.asks.load import Period
from segments.asks.models import Ask, AskState

LEAST = 30
"""Answers of the drawn, and of the ranked, from which on the lift is told."""
ANSWERED = (AskState.ACCEPTED, AskState.DECLINED, AskState.NONE)
RANKED, DRAWN = "rank", "explore"


@dataclass(frozen=True)
class Estimate:
    """A share from 0 to 1 with its 95 % interval, worth so many plain answers."""

    share: float
    low: float
    high: float
    worth: float


@dataclass(frozen=True)
class Chosen:
    """The answers of the ranked and of the drawn; what follows is None for too few to say."""

    ranked: Group
    drawn: Group
    lift: shares.Lift | None = None
    everybody: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures as plain values; `lift` is ranked less drawn."""
        lift, everybody = self.lift, self.everybody
        return {
            "least": LEAST, "enough": lift is not None,
            "ranked": {"answers": self.ranked.people, "yeses": self.ranked.reached},
            "drawn": {"answers": self.drawn.people, "yeses": self.drawn.reached},
            "lift": lift and {"difference": lift.difference, "low": lift.low, "high": lift.high},
            "everybody": everybody and {**everybody.__dict__},
        }  # fmt: skip


def chosen_in(session: Session, viewer: Viewer, period: Period) -> Chosen:
    """How the ranked and the drawn of a period answered, among the people this viewer may see."""
    other = aliased(Ask)
    drew = (
        select(other.request_id, other.wave)
        .where(other.chosen_by == DRAWN, other.request_id.is_not(None))
        .distinct()
        .subquery("drew")
    )
    yes, weight = Ask.state == AskState.ACCEPTED, 1.0 / Ask.propensity
    ranked, drawn = Ask.chosen_by == RANKED, Ask.chosen_by == DRAWN
    sampled = drew.c.wave.is_not(None)
    row = session.execute(
        select(
            func.count().filter(ranked), func.count().filter(ranked, yes),
            func.count().filter(drawn), func.count().filter(drawn, yes),
            func.sum(weight).filter(sampled), func.sum(weight * weight).filter(sampled),
            func.coalesce(func.sum(weight).filter(sampled, yes), 0.0),
        )
        .join(Alumnus, Alumnus.id == Ask.alumnus_id)
        .outerjoin(drew, and_(drew.c.request_id == Ask.request_id, drew.c.wave == Ask.wave))
        .where(
            period.holds(), Ask.state.in_(ANSWERED), Ask.propensity > 0,
            Ask.request_id.is_not(None), Ask.chosen_by.in_([RANKED, DRAWN]),
            visible_alumni(viewer),
        )
    ).one()  # fmt: skip
    first, second = Group(row[0], row[1]), Group(row[2], row[3])
    if min(first.people, second.people) < LEAST:
        return Chosen(first, second)
    return Chosen(first, second, shares.lift(first, second), hajek(*map(float, row[4:])))


def hajek(weights: float, squares: float, yeses: float) -> Estimate:
    """The rate of yeses among everybody from sum(w), sum(w²) and sum(w·y), with w = 1/p."""
    share, worth = min(1.0, yeses / weights), weights * weights / squares
    return Estimate(share, *shares.interval(share, worth), worth)
