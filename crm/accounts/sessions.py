"""Server-side sessions: the cookie holds a random token, the row decides whether it still counts."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, g
from flask_login import LoginManager, UserMixin, current_user
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from crm.accounts.access import viewer_for
from crm.accounts.models import StaffSession, User
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import Viewer

LIFETIME = timedelta(days=14)
IDLE = timedelta(days=3)
NOTE_EVERY = timedelta(minutes=5)

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
    statement = (
        select(StaffSession, User)
        .join(User, User.id == StaffSession.user_id)
        .where(
            StaffSession.token_hash == digest(token), StaffSession.ended_at.is_(None), User.active
        )
    )
    row = session.execute(statement).one_or_none()
    if row is None or row[0].expires_at <= at or row[0].seen_at <= at - IDLE:
        return None
    record, user = row
    return SignedIn(user=user, session_id=record.id, token=token, viewer=viewer_for(session, user))


def end_session(session: Session, token: str, *, at: datetime) -> None:
    """End a session: a copy of its cookie is worth nothing from now on."""
    statement = update(StaffSession).where(StaffSession.token_hash == digest(token))
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

    @app.context_processor
    def viewer_words() -> dict[str, Any]:
        return {"viewer": current_viewer_or_none()}


def current_viewer_or_none() -> Viewer | None:
    """Who is looking, or None for a visitor."""
    return current_user.viewer if current_user and current_user.is_authenticated else None
