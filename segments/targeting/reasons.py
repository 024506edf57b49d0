"""Reasons in plain words, read off the model itself: its largest contributions, said in counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flask_babel import gettext as _
from flask_babel import ngettext

from segments.targeting.estimator import PriorShrunkLogistic
from segments.targeting.features import COLUMNS, NEVER, Matrix

NAMES = (*COLUMNS, "recency", "frequency", "amount_rank")
# Features that tell the same story to a reader are added up before the largest are chosen.
GROUPS = {
    "yes": ("days_since_yes", "yeses", "yes_rate", "way_yeses"),
    "asked": ("days_since_ask", "asks", "asks_year", "way_asks", "declines"),
    "contact": ("days_since_contact", "contacts", "contacts_year", "recency"),
    "deeds": ("deeds", "deeds_year", "modes", "frequency", "hours", "amount", "amount_rank"),
    "tenure": ("tenure",),
    "offers": ("offers_way",),
    "work": ("works",),
}


@dataclass(frozen=True)
class Reason:
    """A group of facts, the facts themselves and how much they moved the logit."""

    key: str
    weight: float
    facts: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """The stored form."""
        return {"key": self.key, "weight": round(self.weight, 3), "facts": self.facts}


def reasons_for(model: PriorShrunkLogistic, x: Matrix, *, most: int = 3) -> list[list[Reason]]:
    """The largest groups of contributions of each row, strongest first."""
    contributions = model.contributions(x)
    index = {name: n for n, name in enumerate(NAMES)}
    keys = list(GROUPS)
    sums = np.column_stack(
        [contributions[:, [index[n] for n in GROUPS[k]]].sum(axis=1) for k in keys]
    )
    order = np.argsort(-np.abs(sums), axis=1)[:, :most]
    found = []
    for row, chosen in enumerate(order):
        values = x[row]
        reasons = []
        for k in chosen:
            facts = {n: round(float(values[index[n]]), 2) for n in GROUPS[keys[k]] if n in COLUMNS}
            reasons.append(Reason(keys[k], float(sums[row, k]), facts))
        found.append([reason for reason in reasons if abs(reason.weight) >= 0.05])
    return found


def sentence(key: str, facts: dict[str, float]) -> str:
    """A stored reason in the reader's language."""
    return {
        "yes": _yes, "asked": _asked, "contact": _contact, "deeds": _deeds,
        "tenure": _tenure, "offers": _offers, "work": _work,
    }[key](facts)  # fmt: skip


def _yes(f: dict[str, float]) -> str:
    if f["days_since_yes"] >= NEVER:
        return _("has not said yes yet")
    text = ngettext("said yes once", "said yes %(num)d times", int(f["yeses"]))
    return _("%(yes)s, last %(when)s", yes=text, when=_ago(f["days_since_yes"]))


def _asked(f: dict[str, float]) -> str:
    if f["days_since_ask"] >= NEVER:
        return _("was never asked")
    asks = int(f["asks_year"])
    text = ngettext("asked once in the last year", "asked %(num)d times in the last year", asks)
    return _("%(asked)s, last %(when)s", asked=text, when=_ago(f["days_since_ask"]))


def _contact(f: dict[str, float]) -> str:
    if f["days_since_contact"] >= NEVER:
        return _("has not been in touch")
    return _("was last in touch %(when)s", when=_ago(f["days_since_contact"]))


def _deeds(f: dict[str, float]) -> str:
    deeds = int(f["deeds"])
    if not deeds:
        return _("has not taken part yet")
    return ngettext("took part once", "took part %(num)d times", deeds)


def _tenure(f: dict[str, float]) -> str:
    return ngettext("left school a year ago", "left school %(num)d years ago", int(f["tenure"]))


def _offers(f: dict[str, float]) -> str:
    return (
        _("offered this way to help") if f["offers_way"] else _("has not offered this way to help")
    )


def _work(f: dict[str, float]) -> str:
    return _("told us about their work") if f["works"] else _("has not told us about their work")


def _ago(days: float) -> str:
    if days < 45:
        return ngettext("yesterday", "%(num)d days ago", max(1, int(days)))
    if days < 700:
        return ngettext("a month ago", "%(num)d months ago", max(1, round(days / 30.4)))
    return ngettext("a year ago", "%(num)d years ago", max(1, round(days / 365.25)))


def sentences(reasons: Sequence[dict[str, object]]) -> list[str]:
    """Stored reasons as sentences, strongest first."""
    return [sentence(str(r["key"]), r["facts"]) for r in reasons]  # type: ignore[arg-type]
