"""`lifecycle rehearse`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from flask import current_app

from crm.core import clock
from crm.core.cli import progress, reporting
from lifecycle.engine.cli import lifecycle
from lifecycle.journeys.cli import FILE, read_file
from lifecycle.rehearsal.running import Order, rehearse

PARTS = 1_000


@lifecycle.command("rehearse")
@click.option("--journey", "key", help="Only this journey, instead of everything that is live.")
@click.option("--months", default=12, show_default=True, type=click.IntRange(1, 12))
@click.option("--people", type=click.IntRange(1), help="Draw so many, instead of everybody.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--seed", default=1, show_default=True, help="Other draws for another number.")
@click.option(
    "--file", "draft", type=FILE, help="A journey not yet published, beside the live one."
)
@click.option("--fixed", is_flag=True, help="Nobody reacts to anything; one run.")
@reporting
def rehearse_command(
    key: str | None,
    months: int,
    people: int | None,
    runs: int,
    seed: int,
    draft: Path | None,
    fixed: bool,
) -> dict[str, Any]:
    """What would go out, to whom and when; nothing is sent."""
    written = read_file(draft) if draft else None
    order = Order(key, months, people, runs, seed, written, fixed)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    started, shown = time.perf_counter(), 0
    with progress("Rehearsing", PARTS) as advance:

        def tell(share: float) -> None:
            nonlocal shown
            reached = round(share * PARTS)
            advance(reached - shown)
            shown = reached

        found = rehearse(app, order, clock.now(), tell)
    most = [{"id": alumnus_id, "messages": number} for alumnus_id, number in found.most[:10]]
    took = round(time.perf_counter() - started, 1)
    return {**found.result, "most_contacted": most, "seconds": took}
