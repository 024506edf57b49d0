"""The fates of an import as a file that a spreadsheet may open safely."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice

from crm.imports.models import ImportLine
from crm.imports.reasons import in_reader_words
from crm.web.cells import lines

BATCH = 1_000
COLUMNS = ("line", "fate", "reason", "external_id", "person", "changes", "undone")


def fates_csv(rows: Iterable[ImportLine]) -> Iterator[str]:
    """CSV text, batch by batch; cells that look like formulas are made harmless."""
    yield "\ufeff" + lines([COLUMNS])
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield lines([_cells(line) for line in batch])


def _cells(line: ImportLine) -> tuple[object, ...]:
    changes = json.dumps(line.changes, ensure_ascii=False) if line.changes else ""
    return (
        line.line,
        line.fate.value,
        in_reader_words(line.reason) or None,
        line.external_id,
        line.alumnus_id,
        changes,
        line.undone,
    )
