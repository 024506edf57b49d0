"""Reasons in plain words, read off the model itself: its largest contributions, said in counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from flask_babel import gettext as _
from flask_babel import ngettext

from segments.targeting.features import NEVER, Matrix

if TYPE_CHECKING:
    from segments.targeting.learning import Learnt

RANKS = ("recency", "frequency", "amount_rank")
# Features that tell the same story to a reader are added up before the largest are chosen.
GROUPS = {
    "yes": ("days_since_yes", "yeses", "yes_rate", "way_yeses", "yeses_year", "last_yes"),
    "asked": ("days_since_ask", "asks", "asks_year", "way_asks", "declines", "asks_quarter"),
    "contact": (
        "days_since_contact", "contacts", "contacts_year", "contacts_quarter", "recency",
    ),
    "deeds": (
        "deeds", "deeds_year", "modes", "frequency", "hours", "amount", "amount_rank",
        "days_since_deed", "deeds_quarter", "deed_gap", "overdue", "kinds",
    ),
    "missed": ("missed",),
    "tenure": ("tenure",),
    "offers": ("offers_way",),
    "work": ("works",),
    "way": (),
    "field": (),
}  # fmt: skip


@dataclass(frozen=True)
class Reason:
    """A group of facts, the facts themselves and how much they moved the logit."""

    key: str
    weight: float
    facts: dict[str, float]

    def to_json(self) -> dict[str, object]:
        """The stored form."""
        return {"key": self.key, "weight": round(self.weight, 3), "facts": self.facts}


def reasons_for(model: Learnt, x: Matrix, *, most: int = 3) -> list[list[Reason]]:
    """The groups that moved the chance of each row most, strongest first."""
    sums, keys = effects(model, x), list(GROUPS)
    order = np.argsort(-np.abs(sums), axis=1)[:, :most]
    at = {name: n for n, name in enumerate(model.columns.names)}
    return [
        [
            Reason(keys[k], float(sums[row, k]), _facts(keys[k], x[row], at))
            for k in chosen
            if abs(sums[row, k]) >= 0.05
        ]
        for row, chosen in enumerate(order)
    ]


def _facts(key: str, values: Matrix, at: dict[str, int]) -> dict[str, float]:
    """What a sentence about a group needs: its features as they are."""
    names = [name for name in members(key, list(at)) if name in at]
    return {name: round(float(values[at[name]]), 2) for name in names}


def members(key: str, names: Sequence[str]) -> list[str]:
    """The features of a group, among the columns of a model and the ranks."""
    if key in ("way", "field"):
        prefix = "way." if key == "way" else "custom."
        return [name for name in names if name.startswith(prefix)]
    return list(GROUPS[key])


def effects(model: Learnt, x: Matrix) -> Matrix:
    """How far each group moves the logit of each row from that of somebody typical.

    Shape (rows, groups). A row sums to its logit less the typical one's. The linear layer is read
    off: coefficient x (value - typical). For an average with trees the groups are set from typical
    to what they are one after another, and each is given what its step moved.
    """
    names = model.columns.names
    if not model.trees:
        every = [*names, *RANKS]
        trust = model.trust
        parts = model.linear.contributions(x, own=trust * model.slope, plain=1 - trust)
        at = {name: n for n, name in enumerate(every)}
        sums = [parts[:, [at[n] for n in members(key, names)]].sum(axis=1) for key in GROUPS]
        return np.column_stack(sums)
    at = {name: n for n, name in enumerate(names)}
    standing = np.tile(model.linear.typical_, (len(x), 1))
    last, found = model.logits(standing), []
    for key in GROUPS:
        columns = [at[n] for n in members(key, names) if n in at]
        standing[:, columns] = x[:, columns]
        moved = model.logits(standing)
        found.append(moved - last)
        last = moved
    return np.column_stack(found)


def sentence(key: str, facts: dict[str, float]) -> str:
    """A stored reason in the reader's language."""
    return {
        "yes": _yes, "asked": _asked, "contact": _contact, "deeds": _deeds,
        "tenure": _tenure, "offers": _offers, "work": _work, "missed": _missed, "way": _way,
        "field": _field, "doubt": _doubt,
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


def _missed(f: dict[str, float]) -> str:
    if not f["missed"]:
        return _("has kept every promise so far")
    return ngettext("missed one promised visit", "missed %(num)d promised visits", int(f["missed"]))


def _way(f: dict[str, float]) -> str:
    return _("how often people say yes to this way to help")


def _field(f: dict[str, float]) -> str:
    named = {name.removeprefix("custom.").rstrip("?").partition("=")[0] for name in f}
    words = ", ".join(sorted(name.replace("_", " ") for name in named))
    return _("what the office keeps of them (%(fields)s)", fields=words)


def _doubt(f: dict[str, float]) -> str:
    percent = int(f["percent"])
    return _("the model was off of late: %(percent)d percent of it counts", percent=percent)


def _ago(days: float) -> str:
    if days < 45:
        return ngettext("yesterday", "%(num)d days ago", max(1, int(days)))
    if days < 700:
        return ngettext("a month ago", "%(num)d months ago", max(1, round(days / 30.4)))
    return ngettext("a year ago", "%(num)d years ago", max(1, round(days / 365.25)))


def sentences(reasons: Sequence[dict[str, object]]) -> list[str]:
    """Stored reasons as sentences, strongest first."""
    return [sentence(str(r["key"]), r["facts"]) for r in reasons]  # type: ignore[arg-type]
