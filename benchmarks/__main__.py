"""`python -m benchmarks`: measures what is asked and prints each figure beside its floor."""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
import time
from importlib import import_module

import click

from benchmarks.figures import Figure, table
from crm.core.errors import HomecomingError

AREAS = ("search", "lifecycle", "imports", "delivery", "duplicates", "matching")
LEAST, MOST = 100, 2_000_000


def known() -> list[str]:
    """The areas that can be measured."""
    return [area for area in AREAS if importlib.util.find_spec(f"benchmarks.{area}")]


def chosen(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str]:
    """The areas named in `--only`, in our order; all of them without it."""
    if value is None:
        return known()
    names = {name.strip() for name in value.split(",")}
    wrong = sorted(names - set(known()))
    if wrong:
        raise click.BadParameter(f"no such area: {', '.join(wrong)}. Known: {', '.join(known())}.")
    return [area for area in known() if area in names]


def measure(area: str, people: int) -> list[Figure]:
    """The figures of one area."""
    found: list[Figure] = import_module(f"benchmarks.{area}").run(people)
    return found


@click.command()
@click.option(
    "--people",
    type=click.IntRange(LEAST, MOST),
    default=100_000,
    show_default=True,
    help="How many alumni to measure with.",
)
@click.option("--only", callback=chosen, help=f"Areas, with commas between: {','.join(AREAS)}.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
def main(people: int, only: list[str], as_json: bool) -> None:
    """Measure the program against floors measured in the same run.

    Works on a throw-away database of the server named by HOMECOMING_TEST_DATABASE_URL, or of an
    embedded one. Exits with 0 whether or not a goal is reached.
    """
    figures: list[Figure] = []
    for area in only:
        start = time.perf_counter()
        click.echo(f"{area}: {people:,} people …", err=True)
        try:
            figures += measure(area, people)
        except HomecomingError as error:
            click.echo(f"{area}: {error}", err=True)
            sys.exit(1)
        click.echo(f"{area}: {time.perf_counter() - start:.0f} s", err=True)
    if as_json:
        click.echo(json.dumps({"people": people, "figures": [f.as_json() for f in figures]}))
        return
    click.echo(f"Python {platform.python_version()}, {platform.machine()}\n")
    click.echo(table(figures))


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
