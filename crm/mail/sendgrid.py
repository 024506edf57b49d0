"""The SendGrid transport, through its official library: up to 1,000 recipients in one request.

SendGrid has no idempotency key. A request is accepted whole (202) or not at all (4xx); anything
else is uncertain. Mail that may wait is handed over with a batch name and a moment of delivery, so
that until shortly before it the batch can be cancelled and sent anew without doubling (the fence).
"""

from __future__ import annotations

import base64
import json
from http.client import HTTPException
from socket import gaierror
from ssl import SSLCertVerificationError
from typing import Any
from urllib.error import URLError

import structlog
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sqlalchemy.orm import Session

from crm.mail.letter import UNSUBSCRIBE
from crm.mail.mime import wire_address
from crm.mail.transport import Batch, Guarantee, Outcome, Parcel, TransportDown
from crm.mail.values import is_link

log = structlog.get_logger(__name__)
TIMEOUT = 60.0
MOST_BYTES = 9_500
"""Of 10,000 bytes that one recipient's substitutions may take together."""
BACK_OFF = 60
UNREACHED = (URLError, OSError, HTTPException)


class SendGridTransport:
    """Hands mail to SendGrid."""

    name = "sendgrid"
    guarantee = Guarantee.FENCE
    size = 1_000
    files_apart = True

    def __init__(self, key: str, host: str, *, timeout: float = TIMEOUT) -> None:
        self.client = SendGridAPIClient(key, host=host).client
        # The library waits for ever unless it is told not to.
        self.client.timeout = timeout
        self.size = SendGridTransport.size

    def new_batch(self) -> str:
        """A batch name from SendGrid; raises `TransportDown`."""
        try:
            answer = self.client.mail.batch.post()
            return str(json.loads(answer.body)["batch_id"])
        except (HTTPError, *UNREACHED, ValueError, KeyError, TypeError) as error:
            raise TransportDown(f"SendGrid gave no batch id: {type(error).__name__}") from error

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        """Post one request and read its answer."""
        outcome = Outcome()
        parcels = [p for p in batch.parcels if _fits_the_wire(p, outcome)]
        large = [p for p in parcels if _size(p) > MOST_BYTES]
        if large and len(parcels) > 1:
            # Their values are too long for substitutions: each is sent as a letter of its own.
            rest = [p.message_id for p in parcels if p not in large]
            outcome.parts = [[p.message_id] for p in large] + ([rest] if rest else [])
            return outcome
        if not parcels:
            return outcome
        try:
            self.client.mail.send.post(request_body=request(batch, parcels, filled=bool(large)))
        except HTTPError as error:
            _refused(error, parcels, outcome)
        except UNREACHED as error:
            log.warning("mail.sendgrid_silent", error=type(error).__name__)
            if _never_connected(error):
                outcome.later, outcome.stop = {p.message_id for p in parcels}, True
        else:
            outcome.accepted = {p.message_id for p in parcels}
        return outcome

    def cancel(self, batch_id: str) -> bool:
        """Cancel a batch that is being held; one that is cancelled already counts as done."""
        body = {"batch_id": batch_id, "status": "cancel"}
        try:
            self.client.user.scheduled_sends.post(request_body=body)
        except HTTPError as error:
            return bool(error.status_code == 400 and b"already" in (error.body or b"").lower())
        except UNREACHED:
            return False
        return True

    def release(self, batch_id: str) -> bool:
        """Forget a cancelled batch whose moment has passed (SendGrid keeps at most 100)."""
        try:
            self.client.user.scheduled_sends._(batch_id).delete()
        except HTTPError as error:
            return bool(error.status_code == 404)
        except UNREACHED:
            return False
        return True

    def close(self) -> None:
        """The library opens a connection for each request."""


def _never_connected(error: Exception) -> bool:
    """Whether the request certainly did not leave: no address, no connection, no trust."""
    reason = getattr(error, "reason", error)
    return isinstance(reason, ConnectionRefusedError | gaierror | SSLCertVerificationError)


def _refused(error: HTTPError, parcels: list[Parcel], outcome: Outcome) -> None:
    """Sort an error answer: a 4xx means that nothing went, a 5xx that nobody knows."""
    status, ids = error.status_code, [p.message_id for p in parcels]
    log.warning("mail.sendgrid_refused", status=status, recipients=len(ids))
    if status >= 500:
        return
    if status == 429 or status in (401, 403):
        # Too many requests, or a key that does not work: nothing is wrong with the mail.
        outcome.later, outcome.wait, outcome.stop = set(ids), BACK_OFF, True
    elif len(ids) == 1:
        outcome.refused = {ids[0]: str(status)}
    else:
        half = len(ids) // 2
        outcome.parts = [ids[:half], ids[half:]]


def _fits_the_wire(parcel: Parcel, outcome: Outcome) -> bool:
    try:
        wire_address(parcel.address)
    except UnicodeError:
        outcome.refused[parcel.message_id] = "address"
        return False
    return True


def _size(parcel: Parcel) -> int:
    return sum(
        len(k) + len(v.encode("utf-8", "replace")) + 6 for k, v in parcel.substitutions.items()
    )


def request(batch: Batch, parcels: list[Parcel], *, filled: bool = False) -> dict[str, Any]:
    """The body of a mail/send request; `filled` puts the one recipient's values in already."""
    letter, (name, address) = batch.letter, batch.sender
    parts = letter.subject, letter.html, letter.text
    if filled:
        parts = letter.filled(parcels[0].substitutions)
    subject, html, text = parts
    sender = {"email": address, **({"name": name} if name else {})}
    body: dict[str, Any] = {
        "personalizations": [_personalization(p, address, with_values=not filled) for p in parcels],
        "from": sender,
        "subject": subject,
        # SendGrid asks for the plain part first.
        "content": [
            {"type": "text/plain", "value": text}, {"type": "text/html", "value": html},
        ],
        "tracking_settings": _tracking(batch),
    }  # fmt: skip
    if batch.send_at is not None:
        body |= {"batch_id": batch.id, "send_at": int(batch.send_at.timestamp())}
    if parcels[0].attachments:
        body["attachments"] = [
            {
                "content": base64.b64encode(a.body).decode(), "type": a.media_type,
                "filename": a.name, "disposition": "attachment",
            }
            for a in parcels[0].attachments
        ]  # fmt: skip
    return body


def _personalization(parcel: Parcel, sender: str, *, with_values: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "to": [{"email": wire_address(parcel.address)}],
        "custom_args": {
            "message_id": str(parcel.message_id), "origin": parcel.origin,
            "attempt": str(parcel.attempt),
        },
    }  # fmt: skip
    if with_values and parcel.substitutions:
        found["substitutions"] = dict(parcel.substitutions)
    found["headers"] = {**parcel.headers, "Message-ID": parcel.mail_id(sender.rpartition("@")[2])}
    return found


def _tracking(batch: Batch) -> dict[str, Any]:
    """Opens are never counted; clicks only in letters without a link of the reader's own."""
    personal = any(is_link(name) for name in batch.letter.names - {UNSUBSCRIBE})
    return {
        "click_tracking": {"enable": not personal, "enable_text": False},
        "open_tracking": {"enable": False},
        "subscription_tracking": {"enable": False},
    }
