"""A new mail address: a code goes to it, and only who reads it there can make it the one we use."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.contacts import email_form
from crm.alumni.models import Alumnus, ContactOwner, ContactPoint, ContactStatus
from crm.alumni.service import put_email
from crm.consent import service as consent
from crm.core.errors import Invalid
from crm.core.throttle import TooMany, hit, unnamed
from crm.interactions.models import Mode
from crm.interactions.service import record
from crm.links.letters import send_letter
from crm.links.models import AddressConfirmation
from crm.links.service import mask
from crm.links.tokens import Claim
from crm.portal.queries import preferred_email

CODE_LIFE = timedelta(minutes=30)
MAX_ATTEMPTS = 5
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STEP_UP = timedelta(days=7)
"""How old a link may be for this: one in an old mail does not suffice to move somebody's mail."""


def needs_fresh_link(claim: Claim, *, at: datetime) -> bool:
    """Whether the link is too old to change the address with."""
    return at - claim.issued_at > STEP_UP


def ask_to_confirm(
    session: Session, alumnus: Alumnus, text: str, *, client: str, at: datetime
) -> AddressConfirmation:
    """Mail a code to a new address; raises `Invalid` for a bad one and `TooMany`."""
    value, key = email_form(text)
    present = preferred_email(session, alumnus.id)
    if present is not None and present.key == key and present.status is ContactStatus.OK:
        raise Invalid(_("That is the address we write to already."), field="email")
    where = unnamed(client)
    target = unnamed(key)
    allowed = [
        hit(session, f"new-address:person:{alumnus.id}", limit=5, per=HOUR, at=at),
        hit(session, f"new-address:target:{target}", limit=3, per=DAY, at=at),
        hit(session, f"new-address:client:{where}", limit=20, per=HOUR, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("Too many codes were asked for. Wait an hour.")])
    code = f"{secrets.randbelow(1_000_000):06d}"
    asked = AddressConfirmation(
        alumnus_id=alumnus.id, value=value, key=key, code_hash=_keyed(alumnus.id, key, code),
        created_at=at, expires_at=at + CODE_LIFE,
    )  # fmt: skip
    session.add(asked)
    session.flush()
    send_letter(
        session, "confirm-address", key=f"confirm-address:{asked.id}", to_address=value,
        language=alumnus.language, merge={"code": code}, origin="link:confirm", at=at,
        expires_at=at + CODE_LIFE, alumnus_id=alumnus.id,
    )  # fmt: skip
    return asked


def waiting(session: Session, alumnus_id: int, *, at: datetime) -> AddressConfirmation | None:
    """The newest address that still waits for its code."""
    newest = session.scalars(
        select(AddressConfirmation)
        .where(AddressConfirmation.alumnus_id == alumnus_id)
        .order_by(AddressConfirmation.created_at.desc(), AddressConfirmation.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or newest.confirmed_at is not None or newest.expires_at <= at:
        return None
    return newest if newest.attempts < MAX_ATTEMPTS else None


def confirm(
    session: Session, alumnus: Alumnus, typed: str, *, claim: Claim, at: datetime
) -> ContactPoint | None:
    """Make the waiting address the one we use if the code is right; None if it is not.

    Each try counts: commit in either case. The old address is kept, and told. Raises `TooMany`.
    """
    if not hit(session, f"new-address:guess:{alumnus.id}", limit=20, per=HOUR, at=at):
        raise TooMany([_("Too many tries. Wait an hour.")])
    asked = waiting(session, alumnus.id, at=at)
    if asked is None:
        return None
    mine = AddressConfirmation.id == asked.id, AddressConfirmation.confirmed_at.is_(None)
    tried = session.execute(
        update(AddressConfirmation)
        .where(*mine, AddressConfirmation.attempts < MAX_ATTEMPTS)
        .values(attempts=AddressConfirmation.attempts + 1)
        .returning(AddressConfirmation.code_hash)
    ).scalar_one_or_none()
    right = _keyed(alumnus.id, asked.key, "".join(typed.split()))
    if not hmac.compare_digest(tried or "", right):
        return None
    session.execute(update(AddressConfirmation).where(*mine).values(confirmed_at=at))
    return _move(session, alumnus, asked.value, claim=claim, at=at)


def _move(
    session: Session, alumnus: Alumnus, value: str, *, claim: Claim, at: datetime
) -> ContactPoint:
    old = preferred_email(session, alumnus.id)
    told = old.value if old is not None and old.status is not ContactStatus.BOUNCED else None
    point = put_email(
        session, alumnus, value, owner=ContactOwner.OWN, preferred=True, source="link", at=at
    )
    consent.lift(session, point.value, at=at)
    audit.record(
        session, "alumnus.address_changed", kind="alumnus", key=alumnus.id, by=None, at=at,
        source="link", reference=claim.reference,
    )  # fmt: skip
    record(
        session, alumnus.id, occurred_at=at, kind="profile_updated", mode=Mode.COMMUNICATION,
        dedupe_key=f"profile_updated:{alumnus.id}:{at:%Y-%m-%d}", origin=claim.reference,
    )  # fmt: skip
    if told and told.lower() != point.key:
        send_letter(
            session, "address-changed", key=f"address-changed:{point.id}:{at.isoformat()}",
            to_address=told, language=alumnus.language, merge={"new_address": mask(point.value)},
            origin="link:confirm", at=at, expires_at=at + DAY, alumnus_id=alumnus.id,
        )  # fmt: skip
    return point


def _keyed(alumnus_id: int, key: str, code: str) -> str:
    secret = str(current_app.secret_key).encode()
    return hmac.new(secret, f"{alumnus_id}\0{key}\0{code}".encode(), hashlib.sha256).hexdigest()
