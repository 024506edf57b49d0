"""Mailed links: signed, for one person, one purpose and a time, and revocable by one number.

A token is two words joined by a dot: what it claims, packed, and its signature. The purpose is part
of the key, so that a token of one purpose is no token of another. Nothing is stored, and reading
one changes nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID

from flask import current_app
from itsdangerous import BadSignature, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.errors import HomecomingError

DAY = timedelta(days=1)
LIFETIMES = {
    "profile": 90 * DAY,
    # Law asks for a month, reputation for more: old mail is opened, and then it must work.
    "unsubscribe": 1_100 * DAY,
    "ask": 60 * DAY,
    "confirm": 2 * DAY,
    # Invitations go out long before, and a ticket must open on the day itself.
    "event": 400 * DAY,
    "check-in": 400 * DAY,
    "mentor": 60 * DAY,
}
"""How long a link can be read, by purpose. What it may still do, its own area decides."""

EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
VERSION = 1
MAX_LENGTH = 300
MAX_NUMBER = 2**63 - 1


class LinkInvalid(HomecomingError):
    """No link of ours, or not one for this purpose; nothing more is said about it."""


class LinkExpired(HomecomingError):
    """A link of ours that is too old or was revoked; `claim` still says to whom it went."""

    def __init__(self, claim: Claim) -> None:
        super().__init__("This link is too old.")
        self.claim = claim


@dataclass(frozen=True)
class Claim:
    """What a token says: for whom, by which address and message, about what, and until when."""

    purpose: str
    alumnus_id: int
    epoch: int
    issued_at: datetime
    expires_at: datetime
    contact_point_id: int | None = None
    message_id: UUID | None = None
    subject: int | None = None

    @property
    def reference(self) -> str:
        """What a record of an act through this link refers to."""
        return f"message:{self.message_id}" if self.message_id else f"link:{self.purpose}"


@dataclass(frozen=True)
class Opened:
    """A link that holds, and the person it was mailed to (or who stands for a merged record)."""

    alumnus: Alumnus
    claim: Claim


def issue(
    purpose: str,
    *,
    alumnus_id: int,
    epoch: int,
    at: datetime,
    contact_point_id: int | None = None,
    message_id: UUID | None = None,
    subject: int | None = None,
) -> str:
    """A token for one of `LIFETIMES`; `epoch` is the alumnus's `link_epoch`."""
    minutes = int((at - EPOCH) / timedelta(minutes=1))
    numbers = (alumnus_id, epoch, minutes, contact_point_id or 0, subject or 0)
    packed = bytes([VERSION]) + b"".join(_packed(number) for number in numbers)
    packed += message_id.bytes if message_id else b""
    value = base64_encode(packed)
    # What `Signer.sign` does, without deriving the key anew for each of a million links.
    signature = _keyed(str(current_app.secret_key), purpose).copy()
    signature.update(value)
    return f"{value.decode()}.{base64_encode(signature.digest()).decode()}"


def read(token: str, purpose: str, *, at: datetime) -> Claim:
    """What a token claims; raises `LinkInvalid` or `LinkExpired`. Asks no database."""
    claim = _claim(token, purpose)
    if at >= claim.expires_at:
        raise LinkExpired(claim)
    return claim


def open_link(session: Session, token: str, purpose: str, *, at: datetime) -> Opened:
    """The person and the claim of a token; raises `LinkInvalid` or `LinkExpired`."""
    return open_claim(session, read(token, purpose, at=at))


def open_claim(session: Session, claim: Claim) -> Opened:
    """The person of a claim; raises `LinkExpired` if it was revoked since."""
    alumnus = session.get(Alumnus, claim.alumnus_id)
    if alumnus is None:
        raise LinkInvalid("There is no such link.")
    if claim.epoch != alumnus.link_epoch:
        raise LinkExpired(claim)
    return Opened(survivor(session, alumnus), claim)


def open_old(session: Session, claim: Claim) -> Opened:
    """The person of a claim, however old or revoked: only for what can do no harm."""
    alumnus = session.get(Alumnus, claim.alumnus_id)
    if alumnus is None:
        raise LinkInvalid("There is no such link.")
    return Opened(survivor(session, alumnus), claim)


def survivor(session: Session, alumnus: Alumnus) -> Alumnus:
    """The record that stands for this one today, through as many merges as there were."""
    seen = {alumnus.id}
    while alumnus.merged_into_id is not None and alumnus.merged_into_id not in seen:
        seen.add(alumnus.merged_into_id)
        alumnus = session.get_one(Alumnus, alumnus.merged_into_id)
    return alumnus


def claim_of_old(token: str, purpose: str) -> Claim:
    """What a token claims, however old it is; raises `LinkInvalid`."""
    return _claim(token, purpose)


def _claim(token: str, purpose: str) -> Claim:
    if purpose not in LIFETIMES or len(token) > MAX_LENGTH or not token.isascii():
        raise LinkInvalid("There is no such link.")
    try:
        value = _signer(purpose).unsign(token)
        # Base64 ignores some bits of its last letter: only the token as it was issued counts.
        if not hmac.compare_digest(_signer(purpose).sign(value), token.encode()):
            raise LinkInvalid("There is no such link.")
        packed = base64_decode(value)
        (alumnus_id, epoch, minutes, point, subject), rest = _unpacked(packed[1:], 5)
        message_id = UUID(bytes=rest) if rest else None
        issued_at = EPOCH + timedelta(minutes=minutes)
    except (BadSignature, ValueError, OverflowError) as error:
        raise LinkInvalid("There is no such link.") from error
    return Claim(
        purpose=purpose, alumnus_id=alumnus_id, epoch=epoch, issued_at=issued_at,
        expires_at=issued_at + LIFETIMES[purpose], contact_point_id=point or None,
        message_id=message_id, subject=subject or None,
    )  # fmt: skip


def _signer(purpose: str) -> Signer:
    return _signer_with(str(current_app.secret_key), purpose)


@lru_cache(maxsize=64)
def _keyed(secret: str, purpose: str) -> hmac.HMAC:
    return hmac.new(_signer_with(secret, purpose).derive_key(), digestmod=hashlib.sha256)


def _signer_with(secret: str, purpose: str) -> Signer:
    if purpose not in LIFETIMES:
        raise ValueError(f"there is no purpose {purpose!r}")
    return Signer(
        secret,
        salt=f"homecoming.link.{purpose}",
        key_derivation="hmac",
        digest_method=hashlib.sha256,
    )


@lru_cache(maxsize=4096)
def _packed(number: int) -> bytes:
    """A number in as many bytes as it needs, seven bits each."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError("a token holds numbers from 0 on")
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _unpacked(packed: bytes, count: int) -> tuple[list[int], bytes]:
    """So many numbers, and what follows them; raises `ValueError` where there are fewer."""
    found: list[int] = []
    number = shift = 0
    for place, byte in enumerate(packed):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(number)
            number = shift = 0
        if len(found) == count:
            return found, packed[place + 1 :]
    raise ValueError("a token holds more numbers")
