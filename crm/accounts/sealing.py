"""Seals what must be read again but not lie in the database in clear: secrets of second factors."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import current_app

PURPOSE = b"homecoming second factor"


def _key() -> bytes:
    """A key of its own purpose, derived from the signing key (HKDF, RFC 5869)."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE)
    return derive.derive(str(current_app.secret_key).encode())


def seal(text: str) -> str:
    """The text, encrypted and authenticated (Fernet)."""
    return Fernet(base64.urlsafe_b64encode(_key())).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str | None:
    """The text again; None if it was sealed under another signing key or damaged."""
    try:
        return Fernet(base64.urlsafe_b64encode(_key())).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def keyed_hash(text: str) -> str:
    """What recognises a text again and tells it to nobody who has only the database."""
    return hmac.new(_key(), text.encode(), hashlib.sha256).hexdigest()
