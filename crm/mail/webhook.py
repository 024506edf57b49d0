"""The provider's signed posts: who sent them, and what they say; no database here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from crm.consent.queries import address_key
from crm.core.errors import Invalid, NotAllowed

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
FRESH = timedelta(minutes=15)
"""How old or how far ahead a signed post may be; each repetition is signed anew."""
KINDS = frozenset(
    {
        "processed", "deferred", "delivered", "dropped", "bounce", "blocked", "open", "click",
        "spamreport", "unsubscribe", "group_unsubscribe", "group_resubscribe",
    }
)  # fmt: skip
# Programs that open every link of a mail before its reader does.
SCANNERS = (
    "barracuda", "mimecast", "proofpoint", "safelinks", "urldefense", "trendmicro", "symantec",
    "fireeye", "cisco", "ironport", "sophos", "bot", "crawler", "spider", "preview", "scan",
    "headless", "python-", "curl/", "wget", "go-http-client", "java/", "okhttp", "googleimageproxy",
)  # fmt: skip
LONGEST_TEXT = 2_000
LARGEST_NUMBER = 2**53


@dataclass(frozen=True)
class Event:
    """One event as we understand it."""

    kind: str
    at: datetime
    address: str
    message_id: UUID | None
    attempt: int | None
    machine: bool
    reason: str
    payload: Mapping[str, Any]

    @property
    def dedupe_key(self) -> str:
        """The same for every repetition: the provider's own event id is known to change."""
        told = (
            self.message_id or self.payload.get("sg_message_id", ""), self.attempt, self.kind,
            int(self.at.timestamp()), self.address, self.payload.get("url", ""),
        )  # fmt: skip
        return hashlib.sha256(repr(told).encode()).hexdigest()


def parse(body: bytes) -> list[Event]:
    """The events of a request's body; raises `Invalid` if it is no list of events.

    An element that is no event is passed by: the provider would send the whole list for ever.
    """
    try:
        told = json.loads(body, parse_constant=_no_constant)
        if not isinstance(told, list):
            raise Invalid("The body is not a list of events.")
        return [event for event in map(_event, told) if event is not None]
    except (ValueError, RecursionError) as error:
        raise Invalid("The body is not JSON that we can read.") from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _event(told: Any) -> Event | None:
    if not isinstance(told, dict):
        return None
    payload = {_clean(k): _flat(v) for k, v in list(told.items())[:60]}
    kind, moment = payload.get("event"), told.get("timestamp")
    if kind == "bounce" and payload.get("type") == "blocked":
        kind = "blocked"
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    if isinstance(moment, bool) or not isinstance(moment, int):
        return None
    if not 0 < moment < 4_102_444_800:  # the year 2100
        return None
    agent = str(payload.get("useragent", "")).lower()
    machine = told.get("sg_machine_open") is True or any(word in agent for word in SCANNERS)
    return Event(
        kind=kind, at=datetime.fromtimestamp(moment, UTC),
        address=address_key(str(payload.get("email", "")))[:320],
        message_id=_uuid(payload.get("message_id")), attempt=_small(payload.get("attempt")),
        machine=machine and kind in {"open", "click"}, reason=str(payload.get("reason", "")),
        payload=payload,
    )  # fmt: skip


def _clean(value: Any) -> str:
    """Text that the database takes: no NUL, no half characters."""
    text = str(value).replace("\x00", "").encode("utf-8", "replace").decode()
    return text[:LONGEST_TEXT]


def _flat(value: Any) -> Any:
    """A value as it may be kept: numbers and flags as they are, all else as bounded text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < LARGEST_NUMBER:
        return value
    if isinstance(value, list):
        return [_clean(item) for item in value[:20]]
    if isinstance(value, dict):
        return {_clean(k): _clean(v) for k, v in list(value.items())[:20]}
    return _clean(value)


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _small(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else None


def check_signature(
    body: bytes, *, signature: str, timestamp: str, public_key: str | None, at: datetime
) -> None:
    """Raise `NotAllowed` unless the raw body was signed with the key's twin a short while ago."""
    if not public_key:
        raise NotAllowed("This installation takes no delivery events: it has no key to check them.")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise NotAllowed("The post is not signed.")
    if abs(at.timestamp() - int(timestamp)) > FRESH.total_seconds():
        raise NotAllowed("The post was signed too long ago.")
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise NotAllowed("The key in SENDGRID_WEBHOOK_PUBLIC_KEY is of another kind.")
        sign = base64.b64decode(signature, validate=True)
        key.verify(sign, timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise NotAllowed("The signature does not fit the post.") from error
