"""Verbs about links: mail a fresh one, make all old ones worthless."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import gettext as _
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.contacts import mask as mask
from crm.alumni.contacts import mask_phone as mask_phone
from crm.alumni.models import Alumnus, ContactKind, ContactOwner, ContactPoint, ContactStatus
from crm.core.throttle import TooMany, hit, unnamed
from crm.core.viewer import Viewer
from crm.links.letters import send_letter
from crm.links.tokens import Claim, survivor

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WORKING = (ContactStatus.OK, ContactStatus.UNCONFIRMED)


def bound_address(session: Session, claim: Claim) -> ContactPoint | None:
    """The address a link was mailed to, while it is still the person's own and works."""
    owner = session.get(Alumnus, claim.alumnus_id)
    if owner is None:
        return None
    person = survivor(session, owner)
    statement = select(ContactPoint).where(
        ContactPoint.alumnus_id.in_({owner.id, person.id}),
        ContactPoint.kind == ContactKind.EMAIL,
        ContactPoint.owner == ContactOwner.OWN,
        ContactPoint.status.in_(WORKING),
    )
    if claim.contact_point_id is not None:
        statement = statement.where(ContactPoint.id == claim.contact_point_id)
    else:
        statement = statement.where(ContactPoint.preferred)
    return session.scalars(statement.order_by(ContactPoint.id).limit(1)).first()


def language_of(session: Session, claim: Claim) -> str | None:
    """The language of the person that a claim is about, if there is one."""
    return session.scalar(select(Alumnus.language).where(Alumnus.id == claim.alumnus_id))


def mail_fresh_link(session: Session, claim: Claim, *, client: str, at: datetime) -> None:
    """Mail a fresh link to the address that the old one went to, and to no other.

    Says nothing when that address is no longer the person's: the answer to the reader is the same.
    Raises `TooMany`.
    """
    where = unnamed(client)
    allowed = [
        hit(session, f"fresh-link:client:{where}", limit=20, per=HOUR, at=at),
        hit(session, f"fresh-link:hour:{claim.alumnus_id}", limit=3, per=HOUR, at=at),
        hit(session, f"fresh-link:day:{claim.alumnus_id}", limit=6, per=DAY, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("A fresh link was mailed already. Look into your mail, or wait an hour.")])
    point = bound_address(session, claim)
    owner = session.get(Alumnus, claim.alumnus_id)
    if point is None or owner is None or survivor(session, owner).deceased:
        return
    person = survivor(session, owner)
    send_letter(
        session, "fresh-link", key=f"fresh-link:{person.id}:{at.isoformat()}",
        to_address=point.value, language=person.language, merge={}, origin="link:profile", at=at,
        expires_at=at + DAY, alumnus_id=person.id,
    )  # fmt: skip


def revoke_links(session: Session, alumnus: Alumnus, *, by: Viewer | None, at: datetime) -> None:
    """Make every link that was ever mailed to this person worthless."""
    statement = update(Alumnus).where(
        or_(Alumnus.id == alumnus.id, Alumnus.merged_into_id == alumnus.id)
    )
    session.execute(
        statement.values(link_epoch=Alumnus.link_epoch + 1),
        execution_options={"synchronize_session": False},
    )
    session.refresh(alumnus)
    audit.record(session, "links.revoked", kind="alumnus", key=alumnus.id, by=by, at=at)
    session.flush()
