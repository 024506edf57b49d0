"""Reads of the alumni area."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, ExternalId
from crm.core.database import among
from crm.core.errors import Invalid, NotFound

LARGEST_ID = 2**63 - 1


def resolve_person(session: Session, text: str) -> int:
    """The id of the person that `text` names: `system:value`, an external value, or our own id.

    External ids come first, since that is what files and letters use; a merged record answers the
    one it was merged into. Raises `NotFound`, or `Invalid` when several people share the value.
    """
    text = text.strip()
    found = _by_external_id(session, text)
    if not found and text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID:
        found = {int(text)}
    survivors = {survivor(session, alumnus_id) for alumnus_id in found} - {None}
    if len(survivors) > 1:
        systems = ", ".join(sorted(f"{s}:{text}" for s in _systems(session, text)))
        raise Invalid(
            "Several people have the id %(text)s. Say which: %(systems)s.",
            field="id",
            text=text,
            systems=systems,
        )
    for alumnus_id in survivors:
        if alumnus_id is not None:
            return alumnus_id
    raise NotFound(
        "Nobody has the id “%(text)s”. Use the id of the roster (system:value) or our own number.",
        text=text,
    )


def _by_external_id(session: Session, text: str) -> set[int]:
    if "\x00" in text or not text:
        return set()
    plain = select(ExternalId.alumnus_id).where(ExternalId.value == text)
    system, separator, value = text.partition(":")
    if separator:
        exact = ExternalId.system == system, ExternalId.value == value
        named = set(session.scalars(select(ExternalId.alumnus_id).where(*exact)))
        if named:
            return named
    return set(session.scalars(plain))


def _systems(session: Session, value: str) -> list[str]:
    return list(session.scalars(select(ExternalId.system).where(ExternalId.value == value)))


def survivor(session: Session, alumnus_id: int) -> int | None:
    """The record that stands for this one today, or None if there is none."""
    seen: set[int] = set()
    current: int | None = alumnus_id
    while current is not None and current not in seen:
        seen.add(current)
        row = session.execute(
            select(Alumnus.id, Alumnus.merged_into_id).where(Alumnus.id == current)
        ).one_or_none()
        if row is None:
            return None
        if row.merged_into_id is None:
            return int(row.id)
        current = row.merged_into_id
    return None


def names_of(session: Session, keys: Sequence[str]) -> dict[str, str]:
    """The full names of people by their ids as text; an erased one has none."""
    ids = [int(key) for key in keys if key.isdigit() and len(key) < 19]
    people = session.scalars(select(Alumnus).where(among(Alumnus.id, ids)))
    return {str(person.id): person.full_name for person in people if person.full_name.strip()}
