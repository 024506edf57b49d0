"""Custom fields: what their values are, and how a cell becomes one.

Every value is kept as text of one form (`1250.5`, `2010-06-30`, `yes`), so that searching and the
propensity model need not know how a file spelt it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.imports.mapping import Plan
from crm.imports.models import CustomField, CustomKind
from crm.imports.people.cells import Fault, faulting
from crm.imports.targets import custom_kind, custom_name, for_targeting
from crm.imports.values import Cache, parse_date, parse_flag
from crm.web.paging import Page, keyset

LARGEST = Decimal(10) ** 15


def parse_number(text: str) -> str:
    """A number without currency signs and thousands commas; raises `ValueError`."""
    try:
        number = Decimal(text.replace("$", "").replace(",", "").strip())
    except InvalidOperation as error:
        raise ValueError("is no number") from error
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError("is no number that we can hold")
    plain = format(number.normalize(), "f")
    return "0" if plain in {"-0", "0"} else plain


def parsers(today: date) -> Mapping[CustomKind, Callable[[str], str]]:
    """Kind → what makes the kept form of a cleaned text; raises `ValueError`."""
    return {
        CustomKind.TEXT: str,
        CustomKind.NUMBER: parse_number,
        CustomKind.DATE: lambda text: parse_date(text, today=today).isoformat(),
        CustomKind.FLAG: lambda text: "yes" if parse_flag(text) else "no",
    }


def kinds_of(session: Session, plan: Plan) -> dict[str, CustomKind]:
    """Custom field → its kind: as the plan says, else as it is kept already, else text."""
    named = {name: custom_kind(t) for t in plan.targets() if (name := custom_name(t))}
    kept = session.execute(
        select(CustomField.key, CustomField.kind).where(CustomField.key.in_(named))
    )
    known = dict(kept.all())
    return {name: kind or known.get(name, CustomKind.TEXT) for name, kind in named.items()}


def readers(session: Session, plan: Plan, today: date) -> dict[str, Cache[str | Fault | None]]:
    """Custom field → a remembered parser of its cells."""
    parse = parsers(today)
    return {name: faulting(parse[kind]) for name, kind in kinds_of(session, plan).items()}


def keep_fields(session: Session, plan: Plan, at: datetime) -> None:
    """Remember the custom fields a plan names, their kinds, and which of them are for targeting."""
    kinds = kinds_of(session, plan)
    for target in plan.targets():
        name = custom_name(target)
        if name is None:
            continue
        title = next(c.title for c in plan.columns if c.target == target)
        marked = for_targeting(target)
        statement = insert(CustomField).values(
            key=name, label=title, kind=kinds[name], targeting=marked, created_at=at
        )
        update: dict[str, Any] = {"kind": kinds[name]} | ({"targeting": True} if marked else {})
        session.execute(statement.on_conflict_do_update(index_elements=["key"], set_=update))


def fields_report(session: Session, plan: Plan) -> list[dict[str, Any]]:
    """The custom fields of a plan as a command reports them."""
    marked = {custom_name(target) for target in plan.targeting()}
    return [
        {"name": name, "kind": kind.value, "targeting": name in marked}
        for name, kind in kinds_of(session, plan).items()
    ]


def fields_page(session: Session, *, after: str | None) -> Page[Any]:
    """A page of the custom fields by name."""
    return keyset(session, select(CustomField), [CustomField.key], after=after)


def change_field(
    session: Session, key: str, *, label: str, targeting: bool, by: Viewer, at: datetime
) -> None:
    """Give a field another label, or mark it for the model; raises `NotFound`."""
    found = session.get(CustomField, key)
    if found is None:
        raise NotFound("There is no such field.")
    after = {"label": label, "targeting": targeting}
    before = {"label": found.label, "targeting": found.targeting}
    if before == after:
        return
    found.label, found.targeting = label, targeting
    audit.record(
        session, "field.changed", kind="field", key=key, by=by, at=at, before=before, after=after
    )
    session.flush()
