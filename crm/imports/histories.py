"""What files of history share: each different line kept once, and the fate of every line.

For `interactions import` and, above this area, `asks import`: millions of lines, three statements.
"""

# Table and column names come from our own code, never from a file.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.viewer import Viewer
from crm.imports.models import Fate, ImportRun, ImportState
from crm.imports.staging import drop_stages, fates_of


def keep_new(
    session: Session, run: ImportRun, *, stage: str, table: str, key: str, values: Mapping[str, str]
) -> dict[str, int]:
    """Insert what is new and note the fate of every line; answers created, unchanged, rejected.

    `stage` has columns line, reason (why a line is rejected), person_id and alumnus_id. `key` is
    SQL on the staged row `s` that is equal for equal lines and becomes the table's `dedupe_key`;
    `values` are its other columns, as SQL on `s`.
    """
    _only_once(session, stage, key)
    session.execute(
        text(
            f"""with made as (
                insert into {table} ({", ".join(values)}, dedupe_key)
                select {", ".join(values.values())}, o.key
                from import_once o join {stage} s using (line)
                on conflict (dedupe_key) do nothing returning dedupe_key
            )
            insert into import_line (import_id, line, fate, reason, external_id, alumnus_id)
            select :id, s.line,
                case when s.reason is not null then 'reject'
                    when m.dedupe_key is not null and o.line = s.line then 'create'
                    else 'unchanged' end,
                coalesce(s.reason, case when o.line <> s.line then
                    'is the same as line ' || o.line end),
                left(s.person_id, 200), s.alumnus_id
            from {stage} s
            left join import_once o on s.reason is null and o.key = {key}
            left join made m on m.dedupe_key = o.key"""
        ),
        {"id": run.id, "origin": f"import:{run.id}"},
    )
    counted = fates_of(session, run.id)
    return {
        "created": counted.get(Fate.CREATE, 0), "unchanged": counted.get(Fate.UNCHANGED, 0),
        "rejected": counted.get(Fate.REJECT, 0),
    }  # fmt: skip


def _only_once(session: Session, stage: str, key: str) -> None:
    """`import_once`: of equal lines of a stage the first."""
    drop_stages(session, ["import_once"])
    session.execute(
        text(
            f"""create temporary table import_once on commit drop as
            select {key} as key, min(s.line) as line from {stage} s where s.reason is null
            group by 1"""
        )
    )
    session.execute(text("analyze import_once"))


def close(
    session: Session, run: ImportRun, *, totals: dict[str, int], sha256: str, unread: list[str],
    by: Viewer | None, at: datetime,
) -> None:  # fmt: skip
    """Write down what came of a file of history."""
    run.totals, run.sha256, run.mapping = totals, sha256, {"not_read": unread}
    run.state, run.applied_at = ImportState.APPLIED, at
    run.lines_done = run.lines_total = sum(totals.values())
    audit.record(
        session, "import.applied", kind="import", key=run.id, by=by, at=at,
        filename=run.filename, totals=totals,
    )  # fmt: skip
    session.flush()
