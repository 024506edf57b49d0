"""Server-side sessions: the cookie holds a random token, the row decides whether it counts."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, g, request
from flask import session as cookie
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.accounts.models import StaffSession, User
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Viewer

LIFETIME = timedelta(days=14)
IDLE = timedelta(days=3)
NOTE_EVERY = timedelta(minutes=5)
OPEN_FILES = frozenset({"static", "bootstrap.static"})

# Every page of a signed-in account begins with this, so it is put together only once.
BY_TOKEN = (
    select(StaffSession.id, StaffSession.seen_at, StaffSession.expires_at, User)
    .join(User, User.id == StaffSession.user_id)
    .where(
        StaffSession.token_hash == bindparam("digest"),
        StaffSession.ended_at.is_(None),
        User.active,
    )
)

login_manager = LoginManager()


def digest(token: str) -> str:
    """What the database keeps of a secret it must recognise."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass
class SignedIn(UserMixin):  # type: ignore[misc]
    """The account behind a request, as Flask-Login wants it."""

    user: User
    session_id: int
    token: str
    viewer: Viewer
    seen_at: datetime

    def get_id(self) -> str:
        """What the cookie carries."""
        return self.token


def start_session(session: Session, user: User, *, at: datetime, agent: str = "") -> str:
    """Begin a session for `user`; answers the token that the cookie is to carry."""
    token = secrets.token_urlsafe(32)
    session.add(
        StaffSession(
            user_id=user.id, token_hash=digest(token), created_at=at, seen_at=at,
            expires_at=at + LIFETIME, agent=agent[:200],
        )
    )  # fmt: skip
    session.flush()
    return token


def load_session(session: Session, token: str, *, at: datetime) -> SignedIn | None:
    """The account behind a token, unless the session or the account has ended."""
    row = session.execute(BY_TOKEN, {"digest": digest(token)}).one_or_none()
    if row is None or row.expires_at <= at or row.seen_at <= at - IDLE:
        return None
    viewer = viewer_for(session, row.User)
    return SignedIn(row.User, row.id, token, viewer, row.seen_at)


def end_session(session: Session, token: str, *, at: datetime) -> None:
    """End a session: a copy of its cookie is worth nothing from now on."""
    statement = update(StaffSession).where(
        StaffSession.token_hash == digest(token), StaffSession.ended_at.is_(None)
    )
    session.execute(statement.values(ended_at=at))


def note_seen(session: Session, session_id: int, *, at: datetime) -> None:
    """Remember that the session is in use, at most every few minutes."""
    statement = update(StaffSession).where(
        StaffSession.id == session_id, StaffSession.seen_at < at - NOTE_EVERY
    )
    session.execute(statement.values(seen_at=at))


def init_app(app: Flask) -> None:
    """Let Flask-Login find the account of a request, and templates its viewer."""
    login_manager.init_app(app)

    @login_manager.user_loader  # type: ignore[untyped-decorator]
    def load(token: str) -> SignedIn | None:
        found = load_session(db.session(), token, at=clock.now())
        if found:
            g.language = found.user.language
        return found

    @app.before_request
    def remember_use() -> None:
        # First thing in a request, so that this commit carries nothing else.
        if request.endpoint in OPEN_FILES or "_user_id" not in cookie:
            return
        at = clock.now()
        if current_user.is_authenticated and current_user.seen_at < at - NOTE_EVERY:
            note_seen(db.session(), current_user.session_id, at=at)
            db.session.commit()

    @app.context_processor
    def viewer_words() -> dict[str, Any]:
        return {"viewer": current_viewer_or_none()}


def sign_in(session: Session, user: User, *, at: datetime, agent: str) -> None:
    """Make this browser's session a new one of `user`; whatever it was before ends."""
    sign_out(session, at=at)
    token = start_session(session, user, at=at, agent=agent)
    found = load_session(session, token, at=at)
    login_user(found)
    cookie.permanent = True


def sign_out(session: Session, *, at: datetime) -> None:
    """End this browser's session, so that copies of its cookie are worth nothing."""
    token = cookie.get("_user_id")
    if isinstance(token, str):
        end_session(session, token, at=at)
    logout_user()
    cookie.clear()


def current_viewer_or_none() -> Viewer | None:
    """Who is looking, or None for a visitor."""
    return current_user.viewer if current_user and current_user.is_authenticated else None
