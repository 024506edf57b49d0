"""Runs migrations on the app's own engine; tables of the job queue are not ours to compare."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app

from crm.core import clock, months
from crm.core.database import Choice, UTCDateTime, db


def ours(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    if kind == "table":
        return not ((name or "").startswith("procrastinate_") or months.is_part(name or ""))
    if kind == "foreign_key_constraint":
        return not any(key.info.get("guarded") for key in thing.elements)
    return True


def render(kind: str, thing: Any, autogen: Any) -> str | bool:
    if kind == "type" and isinstance(thing, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(thing, Choice):
        return "sa.String()"
    return False


def run() -> None:
    applied: list[Any] = []
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=db.metadata,
            include_object=ours,
            render_item=render,
            compare_type=True,
            transaction_per_migration=True,
            on_version_apply=lambda **told: applied.append(told["step"]),
            **{
                k: v
                for k, v in current_app.extensions["migrate"].configure_args.items()
                if k != "compare_type"
            },
        )
        with context.begin_transaction():
            context.run_migrations()
    if applied and applied[-1].is_upgrade:
        months.keep_up(db.session(), clock.now())
        db.session.remove()


run()
