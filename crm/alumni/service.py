"""What changes an alumnus: the profile, what they care about, how they are reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.contacts import contact_form
from crm.alumni.models import (
    Alumnus,
    ContactKind,
    ContactOwner,
    ContactPoint,
    ContactStatus,
    Interest,
    InterestKind,
    Subject,
    Way,
)
from crm.alumni.names import name_key, sort_key
from crm.alumni.profile import NAME_FIELDS, checked, plain
from crm.core.errors import Conflict, Invalid, NotFound
from crm.core.viewer import Viewer

INTEREST = cast(Table, Interest.__table__)


def edit_profile(
    session: Session,
    alumnus: Alumnus,
    changes: Mapping[str, Any],
    *,
    by: Viewer | None,
    at: datetime,
    source: str,
    seen: datetime | None = None,
) -> frozenset[str]:
    """Set the given fields of a profile; answers the names of those that really changed.

    `changes` maps fields of `crm.alumni.profile.EDITABLE` to values. `source` says who told us
    (staff, link, import); the change goes to the audit trail with before and after. `seen` is the
    `updated_at` that the editor looked at: `Conflict` if somebody changed the record since. Raises
    `Invalid` with the field at fault, and then nothing is changed.
    """
    session.flush()
    session.refresh(alumnus, with_for_update=True)
    if seen is not None and alumnus.updated_at != seen:
        raise Conflict(
            "Somebody else changed this record while you were editing. Look at it again, then edit."
        )
    values = checked(alumnus, changes)
    before = {name: getattr(alumnus, name) for name in values}
    changed = {name: value for name, value in values.items() if before[name] != value}
    if not changed:
        return frozenset()
    for name, value in changed.items():
        setattr(alumnus, name, value)
    if NAME_FIELDS & changed.keys():
        alumnus.name_key, alumnus.sort_key = name_key(alumnus), sort_key(alumnus)
    alumnus.updated_at = at
    audit.record(
        session, "alumnus.edited", kind="alumnus", key=alumnus.id, by=by, at=at, source=source,
        before={name: plain(before[name]) for name in changed},
        after={name: plain(value) for name, value in changed.items()},
    )  # fmt: skip
    session.flush()
    return frozenset(changed)


def set_interests(
    session: Session,
    alumnus_id: int,
    *,
    kind: InterestKind,
    keys: Collection[str],
    source: str,
    at: datetime,
) -> bool:
    """Make `keys` the whole set of a person's ways or subjects; True if that changed anything.

    Those kept keep who said so and since when. Raises `Invalid` for a key that does not exist.
    """
    return bool(set_all_interests(session, alumnus_id, {kind: keys}, source=source, at=at))


def set_all_interests(
    session: Session,
    alumnus_id: int,
    wanted: Mapping[InterestKind, Collection[str]],
    *,
    source: str,
    at: datetime,
) -> frozenset[InterestKind]:
    """`set_interests` of several kinds at once; answers the kinds that it changed."""
    mine = Interest.alumnus_id == alumnus_id, Interest.kind.in_(wanted)
    rows = session.execute(select(Interest.kind, Interest.key).where(*mine))
    has = {(kind, key) for kind, key in rows}
    asked = {(kind, key) for kind, keys in wanted.items() for key in keys}
    if new := sorted(asked - has):
        _known(session, new)
        told = [
            {"alumnus_id": alumnus_id, "kind": kind, "key": key, "source": source, "since": at}
            for kind, key in new
        ]
        session.connection().execute(insert(INTEREST).on_conflict_do_nothing(), told)
    if gone := has - asked:
        session.execute(
            delete(Interest).where(*mine, tuple_(Interest.kind, Interest.key).in_(gone))
        )
    return frozenset(kind for kind, _key in (*new, *gone))


def _known(session: Session, interests: Collection[tuple[InterestKind, str]]) -> None:
    """Raises `Invalid` for the first kind that has a key among these which does not exist."""
    for kind, table in ((InterestKind.WAY, Way), (InterestKind.SUBJECT, Subject)):
        keys = {key for each, key in interests if each is kind}
        known = set(session.scalars(select(table.key).where(table.key.in_(keys)))) if keys else ()
        if unknown := sorted(keys.difference(known)):
            message = "There is no way to help called %(unknown)s."
            if kind is InterestKind.SUBJECT:
                message = "There is no subject called %(unknown)s."
            raise Invalid(message, field=kind.value, unknown=", ".join(unknown))


def put_contact(
    session: Session,
    alumnus: Alumnus,
    kind: ContactKind,
    value: str,
    *,
    owner: ContactOwner,
    preferred: bool,
    source: str,
    at: datetime,
    status: ContactStatus = ContactStatus.OK,
) -> ContactPoint:
    """Add a contact point, or renew the one with that address; raises `Invalid` for a bad one.

    `preferred` makes it the one to use, instead of any other of its kind; only an own address may
    be that.
    """
    shown, key = contact_form(kind, value)
    preferred = preferred and owner is ContactOwner.OWN
    if preferred:
        _unprefer_others(session, alumnus.id, kind, key, at=at)
    values = {
        "value": shown, "owner": owner, "status": status, "source": source, "updated_at": at,
        **({"preferred": True} if preferred else {}),
    }  # fmt: skip
    statement = insert(ContactPoint).values(
        **{"preferred": False, **values}, alumnus_id=alumnus.id, kind=kind, key=key, created_at=at
    )
    statement = statement.on_conflict_do_update(
        index_elements=["alumnus_id", "kind", "key"], set_=values
    )
    point = session.scalars(
        statement.returning(ContactPoint), execution_options={"populate_existing": True}
    ).one()
    alumnus.updated_at = at
    session.flush()
    return point


def _unprefer_others(
    session: Session, alumnus_id: int, kind: ContactKind, key: str, *, at: datetime
) -> None:
    others = ContactPoint.alumnus_id == alumnus_id, ContactPoint.kind == kind
    session.execute(
        update(ContactPoint)
        .where(*others, ContactPoint.preferred, ContactPoint.key != key)
        .values(preferred=False, updated_at=at)
    )


def put_email(
    session: Session,
    alumnus: Alumnus,
    value: str,
    *,
    owner: ContactOwner,
    preferred: bool,
    source: str,
    at: datetime,
    status: ContactStatus = ContactStatus.OK,
) -> ContactPoint:
    """`put_contact` for a mail address."""
    return put_contact(
        session, alumnus, ContactKind.EMAIL, value, owner=owner, preferred=preferred,
        source=source, at=at, status=status,
    )  # fmt: skip


def edit_person(
    session: Session,
    alumnus: Alumnus,
    changes: Mapping[str, Any],
    *,
    ways: Collection[str],
    subjects: Collection[str],
    seen: datetime,
    by: Viewer,
    at: datetime,
) -> None:
    """What staff change on a person's page at once: profile, ways and subjects."""
    edit_profile(session, alumnus, changes, by=by, at=at, source="staff", seen=seen)
    for kind, keys in ((InterestKind.WAY, ways), (InterestKind.SUBJECT, subjects)):
        held = select(Interest.key).where(Interest.alumnus_id == alumnus.id, Interest.kind == kind)
        before = sorted(session.scalars(held))
        if set_interests(session, alumnus.id, kind=kind, keys=keys, source="staff", at=at):
            alumnus.updated_at = at
            audit.record(
                session, "alumnus.interests", kind="alumnus", key=alumnus.id, by=by, at=at,
                before={kind.value: before}, after={kind.value: sorted(keys)},
            )  # fmt: skip
    session.flush()


def add_contact(
    session: Session,
    alumnus: Alumnus,
    kind: ContactKind,
    value: str,
    *,
    owner: ContactOwner,
    preferred: bool,
    by: Viewer,
    at: datetime,
) -> ContactPoint:
    """`put_contact` by staff, noted without the address itself."""
    point = put_contact(
        session, alumnus, kind, value, owner=owner, preferred=preferred, source="staff", at=at
    )
    _note_contact(session, "contact.saved", point, by=by, at=at)
    return point


def retire_contact(
    session: Session, alumnus: Alumnus, point_id: int, *, by: Viewer, at: datetime
) -> None:
    """Stop using one of the person's addresses; raises `NotFound` if it is not theirs."""
    theirs = ContactPoint.id == min(point_id, 2**63 - 1), ContactPoint.alumnus_id == alumnus.id
    point = session.scalars(select(ContactPoint).where(*theirs)).one_or_none()
    if point is None:
        raise NotFound("There is no such address.")
    before = point.status
    point.status, point.preferred, point.updated_at = ContactStatus.RETIRED, False, at
    alumnus.updated_at = at
    _note_contact(session, "contact.retired", point, by=by, at=at, before=before)


def _note_contact(
    session: Session,
    action: str,
    point: ContactPoint,
    *,
    by: Viewer,
    at: datetime,
    before: ContactStatus | None = None,
) -> None:
    audit.record(
        session, action, kind="alumnus", key=point.alumnus_id, by=by, at=at,
        contact=point.id, sort=point.kind.value, owner=point.owner.value,
        before={"status": before.value if before else None}, after={"status": point.status.value},
    )  # fmt: skip
    session.flush()
