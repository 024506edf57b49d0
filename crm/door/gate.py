"""What keeps machines from the public forms and floods from mailboxes, without a puzzle.

Nothing here looks at whom we know: the same post is treated the same whoever the address is of.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy.orm import Session

from crm.consent.queries import address_key
from crm.core.throttle import TooMany, hit, unnamed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOONEST, LATEST = timedelta(seconds=2), timedelta(hours=12)
BY_CLIENT = 100
"""Posts an hour from one address of the net: a class registers from one school's."""
BY_ALL = 3_000
LETTERS_AN_HOUR, LETTERS_A_DAY = 1, 3
DOTLESS = frozenset({"gmail.com", "googlemail.com"})
"""Domains where dots before the sign do not make another mailbox."""


def stamp(at: datetime) -> str:
    """When a form was made, as text that nobody else can make."""
    return str(_sealer().dumps(at.timestamp()))


def in_time(stamped: str, at: datetime) -> bool:
    """Whether a form was filled in no faster than people do, and not long ago."""
    try:
        since = at.timestamp() - float(_sealer().loads(stamped))
    except (BadData, TypeError, ValueError):
        return False
    return SOONEST.total_seconds() <= since <= LATEST.total_seconds()


def take(session: Session, *, client: str, at: datetime) -> None:
    """Count one post; raises `TooMany` for a client, or everybody together, beyond the limits."""
    where = unnamed(client)
    allowed = [
        hit(session, f"door:client:{where}", limit=BY_CLIENT, per=HOUR, at=at),
        hit(session, "door:all", limit=BY_ALL, per=HOUR, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("Too many people are writing to us at once. Please try in an hour.")])


def may_write(session: Session, address: str, *, at: datetime) -> bool:
    """Count one letter to an address; False once it had one this hour or three this day.

    What is written behind a plus sign, or as dots, does not make another mailbox.
    """
    key = hashed(mailbox(address))[:32]
    if not hit(session, f"door:letter:hour:{key}", limit=LETTERS_AN_HOUR, per=HOUR, at=at):
        return False
    return hit(session, f"door:letter:day:{key}", limit=LETTERS_A_DAY, per=DAY, at=at)


def mailbox(address: str) -> str:
    """The mailbox that an address most likely leads to."""
    local, _at, domain = address_key(address).rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '') if domain in DOTLESS else local}@{domain}"


def hashed(text: str) -> str:
    """A text as a hash that only this installation can make."""
    secret = str(current_app.secret_key).encode()
    return hmac.new(secret, b"door\0" + text.encode(), hashlib.sha256).hexdigest()


def _sealer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="homecoming.door")
