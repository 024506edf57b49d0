"""What every command shares: `--json`, `--as-of`, exit codes and progress on stderr.

Exit 0 on success, 1 on refused input (each problem on a line of its own), 2 on wrong usage.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import click
from flask.cli import with_appcontext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from crm.core import clock
from crm.core.database import db
from crm.core.errors import HomecomingError, Refused

F = TypeVar("F", bound=Callable[..., Any])
Report = Mapping[str, Any]


class Moment(click.ParamType[datetime]):
    """An ISO date or datetime; without a zone it is read as UTC."""

    name = "ISO-DATETIME"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime:
        """The aware moment, or a usage error that shows the form wanted."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a moment such as 2026-06-01 or 2026-06-01T09:00-04:00")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def say(text: str) -> None:
    """Prose for the person at the terminal; stdout is kept for results."""
    click.echo(text, err=True)


def reporting(function: F) -> F:
    """Make a command of a function that returns a mapping: adds `--json` and `--as-of`.

    The function runs in an app context at one moment; it commits its own work. `Refused` and other
    `HomecomingError`s are printed problem by problem and end with exit code 1.
    """

    @click.option("--json", "as_json", is_flag=True, help="One JSON object as the last line.")
    @click.option("--as-of", type=Moment(), help="The moment to work at, instead of now.")
    @with_appcontext
    @functools.wraps(function)
    def command(*args: Any, as_json: bool, as_of: datetime | None, **options: Any) -> None:
        with clock.at(as_of) if as_of else nullcontext():
            try:
                report = function(*args, **options)
            except HomecomingError as error:
                db.session.rollback()
                problems = error.problems if isinstance(error, Refused) else (str(error),)
                for problem in problems:
                    click.echo(problem, err=True)
                if as_json:
                    click.echo(json.dumps({"error": list(problems)}))
                sys.exit(1)
        if report is not None:
            show(report, as_json=as_json)

    return command  # type: ignore[return-value]


def show(report: Report, *, as_json: bool) -> None:
    """Print a report: one JSON line, or a line a key (nested mappings indented)."""
    if as_json:
        click.echo(json.dumps(report, default=_plain, ensure_ascii=False))
        return
    for key, value in report.items():
        if isinstance(value, Mapping):
            click.echo(f"{key}:")
            for inner, amount in value.items():
                click.echo(f"  {inner}: {amount}")
        elif isinstance(value, (list, tuple)):
            click.echo(f"{key}:")
            for row in value:
                click.echo("  " + _row(row))
        else:
            click.echo(f"{key}: {value}")


def _row(row: Any) -> str:
    if isinstance(row, Mapping):
        return "  ".join(f"{k}={v}" for k, v in row.items() if v not in (None, "", []))
    return str(row)


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return str(value)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; yields a function that moves it on by so many."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda amount: bar.update(task, advance=amount)


def counted(items: Iterable[Any], label: str, total: int | None = None) -> Iterator[Any]:
    """The items again, with a progress bar beside them."""
    with progress(label, total) as advance:
        for item in items:
            yield item
            advance(1)
