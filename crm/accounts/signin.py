"""Signing in without a password: a mailed six-digit code, or a mailed link with one button.

The browser that asked keeps a random secret; code and link are bound to it by keyed hashes, so that
the database alone tells neither, and an answer to another browser's question opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.accounts.devices import device
from crm.accounts.models import SignInCode, StaffSession, User
from crm.accounts.sessions import digest
from crm.core.application import current_settings
from crm.core.extend import extensions
from crm.core.throttle import TooMany, hit

CODE_LIFE = timedelta(minutes=10)
LINK_LIFE = timedelta(hours=24)
MAX_ATTEMPTS = 5
KNOWN_DEVICES = 200
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)
DIGITS = re.compile(r"\d{6}")


def new_browser() -> str:
    """The secret that a browser keeps from asking for a code to entering it."""
    return secrets.token_urlsafe(32)


def ask_for_code(session: Session, email: str, browser: str, *, client: str, at: datetime) -> None:
    """Mail a code and a link to the account of that address; for an unknown one, nothing.

    Both cases cost the same work and raise the same `TooMany`, so that nobody learns who is known.
    """
    address = email.strip().lower()
    who, where = digest(address)[:24], digest(client)[:24]
    allowed = [
        hit(session, f"sign-in:client:{where}", limit=30, per=QUARTER, at=at),
        hit(session, f"sign-in:mail:{who}", limit=5, per=QUARTER, at=at),
        hit(session, f"sign-in:day:{who}", limit=30, per=DAY, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("Too many codes were asked for. Wait a quarter of an hour.")])
    user = session.scalars(select(User).where(User.email == address, User.active)).one_or_none()
    code = f"{secrets.randbelow(1_000_000):06d}"
    token = _link_token(browser)
    if user is not None:
        session.add(
            SignInCode(
                user_id=user.id, token_hash=digest(token), code_hash=_keyed(browser, code),
                created_at=at, expires_at=at + CODE_LIFE,
            )
        )  # fmt: skip
        _mail_code(session, address, user.language, code, token, at)
        return
    attempt = session.begin_nested()
    _mail_code(session, address, "en", code, token, at)
    attempt.rollback()


def _mail_code(
    session: Session, address: str, language: str, code: str, token: str, at: datetime
) -> None:
    letters = extensions().letters
    if letters is None:
        raise LookupError("no area registered how letters are sent")
    letters(
        session, "sign-in-code", key=f"sign-in:{digest(token)[:32]}", to_address=address,
        language=language, merge={"code": code, "sign_in_link": link_address(token)},
        origin="link:sign-in", at=at, expires_at=at + CODE_LIFE,
    )  # fmt: skip


def enter_code(
    session: Session, browser: str, code: str, *, client: str, at: datetime
) -> User | None:
    """The account that the code signs in, or None; each try counts, whatever comes of it.

    Commit in either case: otherwise a wrong try would not count.
    """
    where = digest(client)[:24]
    if not hit(session, f"sign-in:guess:{where}", limit=40, per=QUARTER, at=at):
        raise TooMany([_("Too many tries. Wait a quarter of an hour.")])
    open_code = (
        SignInCode.token_hash == digest(_link_token(browser)),
        SignInCode.used_at.is_(None),
        SignInCode.expires_at > at,
    )
    tried = session.execute(
        update(SignInCode)
        .where(*open_code, SignInCode.attempts < MAX_ATTEMPTS)
        .values(attempts=SignInCode.attempts + 1)
        .returning(SignInCode.code_hash)
    ).scalar_one_or_none()
    typed = "".join(code.split())
    right = hmac.compare_digest(tried or "", _keyed(browser, typed))
    if not right or not DIGITS.fullmatch(typed):
        return None
    return _use(session, digest(_link_token(browser)), at)


def use_link(session: Session, token: str, *, at: datetime) -> User | None:
    """The account that a mailed or printed link signs in, once; None for a link that is over."""
    return _use(session, digest(token), at)


def link_is_open(session: Session, token: str, *, at: datetime) -> bool:
    """Whether a link would still sign somebody in; changes nothing."""
    statement = select(SignInCode.id).where(
        SignInCode.token_hash == digest(token),
        SignInCode.used_at.is_(None),
        SignInCode.expires_at > at,
    )
    return session.execute(statement).first() is not None


def _use(session: Session, token_hash: str, at: datetime) -> User | None:
    used = session.execute(
        update(SignInCode)
        .where(
            SignInCode.token_hash == token_hash,
            SignInCode.used_at.is_(None),
            SignInCode.expires_at > at,
        )
        .values(used_at=at)
        .returning(SignInCode.user_id)
    ).scalar_one_or_none()
    if used is None:
        return None
    return session.scalars(select(User).where(User.id == used, User.active)).one_or_none()


def sign_in_link(session: Session, user: User, *, at: datetime, life: timedelta = LINK_LIFE) -> str:
    """A fresh address that signs `user` in once, by a button on its page; older ones are over."""
    session.execute(
        update(SignInCode)
        .where(SignInCode.user_id == user.id, SignInCode.used_at.is_(None))
        .values(used_at=at)
    )
    token = secrets.token_urlsafe(32)
    session.add(
        SignInCode(
            user_id=user.id, token_hash=digest(token), code_hash="", created_at=at,
            expires_at=at + life,
        )
    )  # fmt: skip
    session.flush()
    return link_address(token)


def tell_of_new_device(session: Session, user: User, *, agent: str, at: datetime) -> None:
    """Mail a notice if an account signs in on a device it did not use lately, once a day at most.

    Devices are told apart by their words, so that an update of the browser tells nobody anything.
    """
    seen = session.scalars(
        select(StaffSession.agent)
        .where(StaffSession.user_id == user.id, StaffSession.half.is_(False))
        .group_by(StaffSession.agent)
        .limit(KNOWN_DEVICES)
    ).all()
    with force_locale(user.language):
        words = device(agent)
        if not seen or words in {device(known) for known in seen}:
            return
    letters = extensions().letters
    if letters is None:
        raise LookupError("no area registered how letters are sent")
    letters(
        session, "new-sign-in", key=f"new-sign-in:{user.id}:{at:%Y-%m-%d}",
        to_address=user.email, language=user.language,
        merge={"staff_name": user.name, "device": words}, origin="link:sign-in", at=at,
    )  # fmt: skip


def link_address(token: str) -> str:
    """The address that a sign-in link has, under the configured base address."""
    return f"{current_settings().base_url}/sign-in/link/{token}"


def _link_token(browser: str) -> str:
    return _keyed(browser, "link")


def _keyed(browser: str, text: str) -> str:
    key = str(current_app.secret_key).encode()
    return hmac.new(key, f"{browser}\0{text}".encode(), hashlib.sha256).hexdigest()
