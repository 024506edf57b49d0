"""`homecoming demo-policies`: simulated months on the demo district, every policy on every seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy import stats
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.core import clock
from crm.core.cli import progress, reporting, say
from crm.core.database import db
from crm.core.errors import Refused
from demo.people import Person, population, schools
from demo.plot import draw_trade
from demo.policies import POLICIES, Outcome, simulate

Rows = Mapping[str, Sequence[Outcome]]


@click.command("demo-policies")
@click.option("--seeds", type=click.IntRange(1, 40), default=4, show_default=True)
@click.option("--days", type=click.IntRange(9, 365), default=180, show_default=True)
@click.option(
    "--every", type=click.FloatRange(0.1, 20.0),
    help="Requests posted in three days; one for each 5,000 people without.",
)  # fmt: skip
@click.option("--policy", "names", type=click.Choice(list(POLICIES)), multiple=True)
@click.option("--plot", type=click.Path(path_type=Path), help="Where to draw the trade, as SVG.")
@reporting
def demo_policies(
    seeds: int, days: int, every: float | None, names: tuple[str, ...], plot: Path | None
) -> dict[str, Any]:
    """Let ways to choose whom to ask live through the same months of the demo district.

    Needs a district that `demo` built. Each policy meets the same requests and people, whose truth
    it does not see; everything is rolled back. Figures are means over seeds with 95 % intervals.
    """
    session, at = db.session(), clock.now()
    people = district(session)
    every = every or len(people) / 5000
    found = live(
        session, people, names or tuple(POLICIES), seeds=range(1, seeds + 1), days=days,
        every=every, at=at,
    )  # fmt: skip
    report = summary(found)
    if plot:
        plot.parent.mkdir(parents=True, exist_ok=True)
        plot.write_text(draw_trade(report["policies"]), encoding="utf-8")
    return {"people": len(people), "days": days, "seeds": seeds, "every": every, **report}


def district(session: Session) -> list[Person]:
    """The people of the demo district that stands, with their truth."""
    built = session.scalars(
        select(AuditEntry).where(
            AuditEntry.object_kind == "demo", AuditEntry.action == "demo.built"
        )
    ).one_or_none()
    if built is None:
        raise Refused(
            ["There is no demo district here. Build one first: homecoming demo --no-serve"]
        )
    size = built.detail
    return list(population(size["people"], seed=size["seed"], today=built.at.date()))


def live(
    session: Session, people: Sequence[Person], names: Sequence[str], *, seeds: Sequence[int],
    days: int, every: float, at: datetime,
) -> dict[str, list[Outcome]]:  # fmt: skip
    """What each policy came to on each seed; nothing of it stays."""
    found: dict[str, list[Outcome]] = {name: [] for name in names}
    with progress("Living through it", len(names) * len(seeds)) as moved:
        for seed in seeds:
            for name in names:
                try:
                    outcome = simulate(
                        session, people, POLICIES[name], at=at, days=days, seed=seed, every=every
                    )
                finally:
                    session.rollback()
                    session.expunge_all()
                found[name].append(outcome)
                row = outcome.row()
                say(f"seed {seed}, {name}: {row['asks']:.0f} asks, {row['filled']:.0%} filled")
                moved(1)
    return found


def summary(found: Rows) -> dict[str, Any]:
    """Means over seeds with 95 % intervals, what differs from the first policy, and schools."""
    first = next(iter(found))
    base = [outcome.row() for outcome in found[first]]
    policies, beside = {}, {}
    for name, outcomes in found.items():
        rows = [outcome.row() for outcome in outcomes]
        keys = [key for key in rows[0] if all(key in row for row in rows)]
        policies[name] = {key: interval([row[key] for row in rows]) for key in keys}
        policies[name]["schools_apart"] = apart(outcomes)
        if name != first:
            both = [key for key in keys if key in base[0]]
            pairs = {
                key: [r[key] - b[key] for r, b in zip(rows, base, strict=True)] for key in both
            }
            beside[name] = {key: interval(values) for key, values in pairs.items()}
    return {"policies": policies, f"less_{first}": beside, "schools": by_school(found)}


def interval(values: Sequence[float]) -> list[float | None]:
    """Mean, and Student's 95 % interval of it (None and None of a single value)."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return [round(mean, 4), None, None]
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return [round(mean, 4), round(mean - half, 4), round(mean + half, 4)]


def by_school(found: Rows) -> list[dict[str, Any]]:
    """Of each school the places of all seeds together, and the share filled by each policy."""
    rows = []
    for school in schools():
        counts = {
            name: np.sum([o.schools.get(school.nces_id, [0, 0]) for o in outcomes], axis=0)
            for name, outcomes in found.items()
        }
        places = int(next(iter(counts.values()))[1])
        if places:
            shares = {name: round(int(n[0]) / places, 3) for name, n in counts.items()}
            rows.append({"school": school.name, "places": places, **shares})
    return rows


def apart(outcomes: Sequence[Outcome]) -> list[float | None]:
    """How far schools' rates of places filled lie apart: their standard deviation, seeds pooled."""
    pooled: dict[str, list[int]] = {}
    for outcome in outcomes:
        for school, (filled, places) in outcome.schools.items():
            known = pooled.setdefault(school, [0, 0])
            known[0] += filled
            known[1] += places
    rates = [filled / places for filled, places in pooled.values()]
    return [round(float(np.std(rates)), 4), None, None]
