"""Events of delivery, as the provider posts them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from crm.mail import webhook
from crm.mail.models import Message

KEY = ec.generate_private_key(ec.SECP256R1())


PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()


ADDRESS = "zoe@mail.example"


Post = Callable[..., TestResponse]


def signed(body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        webhook.SIGNATURE: base64.b64encode(signature).decode(), webhook.TIMESTAMP: stamp,
    }  # fmt: skip


def event(kind: str, message: Message | UUID | None, at: datetime, **values: Any) -> dict[str, Any]:
    identity = message.id if isinstance(message, Message) else message
    return {
        "event": kind, "email": ADDRESS, "timestamp": int(at.timestamp()), "attempt": "1",
        "message_id": str(identity), "origin": "campaign:spring", "sg_event_id": f"{kind}-1",
        "sg_message_id": "abc.filter", **values,
    }  # fmt: skip


def told(session: Session, message: Message) -> Message:
    session.expire_all()
    return session.get_one(Message, message.id, populate_existing=True)
