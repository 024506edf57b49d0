"""What the model page draws: the card's figures as places in a drawing and as sentences."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from crm.web.charts import bars
from segments.targeting.models import PropensityModel

WIDE = 100.0


def of(record: PropensityModel | None) -> dict[str, Any] | None:
    """The plots of a model's card; None for a model of an earlier release, or none at all."""
    if record is None or "curve" not in record.card:
        return None
    card = record.card
    return {
        "calibration": calibration(card["curve"]), "lift": tenths(card["tenths"]),
        "drives": bars("drives", _("What drives a yes"), [
            (group_name(d["key"]), round(d["moves"], 2)) for d in card["drives"]
        ]),
    }  # fmt: skip


def calibration(curve: list[dict[str, Any]]) -> dict[str, Any]:
    """Points (chance, rate, interval) in a square of 100 by 100, y downwards, up to `top`."""
    top = min(1.0, max([0.05, *(max(b["chance"], b["high"]) for b in curve)]))

    def place(value: float) -> float:
        return float(round(WIDE * min(1.0, value / top), 2))

    points = [
        {**b, "x": place(b["chance"]), "y": round(WIDE - place(b["rate"]), 2),
         "y_low": round(WIDE - place(b["low"]), 2), "y_high": round(WIDE - place(b["high"]), 2)}
        for b in curve
    ]  # fmt: skip
    return {"top": top, "points": points}


def tenths(found: list[dict[str, Any]]) -> dict[str, Any]:
    """A bar for each tenth of the list, the highest first, with the rate of yeses for its width."""
    most = max([1e-9, *(t["rate"] for t in found)])
    rows = [{**t, "no": n, "width": round(WIDE * t["rate"] / most, 2)}
            for n, t in enumerate(found, 1)]  # fmt: skip
    return {"rows": rows}


def group_name(key: str) -> str:
    """What a group of facts is called."""
    return {
        "yes": _("earlier yeses"), "asked": _("how often they were asked"),
        "contact": _("how lately they were in touch"), "deeds": _("what they took part in"),
        "missed": _("promises kept or missed"), "tenure": _("years since school"),
        "offers": _("ways they offered"), "work": _("what we know of their work"),
        "way": _("which way to help it is"), "field": _("fields of the district"),
    }[key]  # fmt: skip


def decision_name(card: dict[str, Any]) -> str:
    """Why a model went live or not."""
    return {
        "first": _("went live: better than the plain rule it starts from"),
        "better": _("went live: better than the one before on later answers"),
        "prior_better": _("not live: no better than what is shipped"),
        "live_better": _("not live: no better than the live one on the answers since, or too few"),
        "nothing_held_out": _("not live: no later answers to measure it on"),
    }.get(card.get("decision", ""), _("trained by an earlier release"))
