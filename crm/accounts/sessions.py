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
from sqlalchemy import and_, bindparam, select, update
from sqlalchemy.orm import Session

from crm.accounts.access import role_changes, viewer_for
from crm.accounts.models import SecondFactor, StaffSession, User
from crm.core import clock
from crm.core.application import current_settings
from crm.core.database import db, each_by_itself, values_of
from crm.core.viewer import Role, Viewer

LIFETIME = timedelta(days=14)
IDLE = timedelta(days=3)
HALF_LIFE = timedelta(minutes=10)
FRESH = timedelta(minutes=15)
NOTE_EVERY = timedelta(minutes=5)
OPEN_FILES = frozenset({"static", "bootstrap.static"})

# Every page of a signed-in account begins with this, so it is put together only once, and asks for
# values instead of objects.
COLUMNS = (
    StaffSession.id.label("session_id"), StaffSession.created_at, StaffSession.seen_at,
    StaffSession.expires_at, StaffSession.factor_at, User.id, User.name, User.role,
    User.language, User.factor_asked_at, SecondFactor.user_id.label("factor"),
)  # fmt: skip
BY_TOKEN = (
    select(*COLUMNS, role_changes(User.role))
    .join(User, User.id == StaffSession.user_id)
    .outerjoin(
        SecondFactor,
        and_(SecondFactor.user_id == User.id, SecondFactor.confirmed_at.is_not(None)),
    )
    .where(
        StaffSession.token_hash == bindparam("digest"),
        StaffSession.ended_at.is_(None),
        StaffSession.half == bindparam("half"),
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

    user_id: int
    language: str
    session_id: int
    token: str
    viewer: Viewer
    seen_at: datetime
    has_factor: bool = False
    factor_at: datetime | None = None
    due_at: datetime | None = None
    """Until when a required second factor must be set up; None if none is wanted."""

    @property
    def user(self) -> User:
        """The account itself."""
        return db.session().get_one(User, self.user_id)

    def is_fresh(self, at: datetime) -> bool:
        """Whether the factor, if there is one, was given within the last quarter of an hour."""
        return not self.has_factor or (self.factor_at is not None and self.factor_at > at - FRESH)

    def get_id(self) -> str:
        """What the cookie carries."""
        return self.token


def start_session(
    session: Session,
    user: User,
    *,
    at: datetime,
    agent: str = "",
    half: bool = False,
    factor_at: datetime | None = None,
) -> str:
    """Begin a session for `user`; answers the token that the cookie is to carry.

    A half one lives for minutes and only leads to the page that asks for the second factor.
    """
    token = secrets.token_urlsafe(32)
    session.add(
        StaffSession(
            user_id=user.id, token_hash=digest(token), created_at=at, seen_at=at,
            expires_at=at + (HALF_LIFE if half else LIFETIME), agent=agent[:200], half=half,
            factor_at=factor_at,
        )
    )  # fmt: skip
    if user.role is Role.COORDINATOR and user.factor_asked_at is None and not half:
        user.factor_asked_at = at
    session.flush()
    return token


def load_session(session: Session, token: str, *, at: datetime) -> SignedIn | None:
    """The account behind a token, unless the session or the account has ended."""
    row = values_of(session, BY_TOKEN, {"digest": digest(token), "half": False}).one_or_none()
    if row is None or row.expires_at <= at or row.seen_at <= at - IDLE:
        return None
    return SignedIn(
        row.id, row.language, row.session_id, token,
        viewer_for(session, row, row.changes or {}), row.seen_at,
        has_factor=row.factor is not None, factor_at=row.factor_at, due_at=_due_at(row),
    )  # fmt: skip


def load_half(session: Session, token: str, *, at: datetime) -> User | None:
    """The account that proved its address and still owes its second factor."""
    row = session.execute(BY_TOKEN, {"digest": digest(token), "half": True}).one_or_none()
    return session.get_one(User, row.id) if row is not None and row.expires_at > at else None


def _due_at(row: Any) -> datetime | None:
    """Until when a factor must be set up: coordinators, wherever mail really leaves the house.

    In mailbox mode every mail is read in the app, so it is never a district at work.
    """
    settings = current_settings()
    if row.role is not Role.COORDINATOR or row.factor or row.factor_at is not None:
        return None
    if settings.mail == "mailbox":
        return None
    asked: datetime = row.factor_asked_at or row.created_at
    return asked + timedelta(days=settings.second_factor_grace)


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
            g.language = found.language
        return found

    @app.before_request
    def remember_use() -> None:
        # First thing in a request, so that this commit carries nothing else.
        if request.endpoint in OPEN_FILES or "_user_id" not in cookie:
            return
        if getattr(app.view_functions.get(request.endpoint or ""), "reads", False):
            each_by_itself(db.session())
        at = clock.now()
        if current_user.is_authenticated and current_user.seen_at < at - NOTE_EVERY:
            note_seen(db.session(), current_user.session_id, at=at)
            db.session.commit()

    @app.context_processor
    def viewer_words() -> dict[str, Any]:
        signed_in = bool(current_user) and current_user.is_authenticated
        return {
            "viewer": current_viewer_or_none(),
            "enrolment": current_user.due_at if signed_in else None,
        }


def sign_in(
    session: Session, user: User, *, at: datetime, agent: str, factor_at: datetime | None = None
) -> None:
    """Make this browser's session a new one of `user`; whatever it was before ends."""
    sign_out(session, at=at)
    token = start_session(session, user, at=at, agent=agent, factor_at=factor_at)
    found = load_session(session, token, at=at)
    login_user(found)
    cookie.permanent = True


def sign_half_in(session: Session, user: User, *, at: datetime, agent: str, target: str) -> None:
    """Remember in this browser who proved their address; they see nothing before the factor."""
    sign_out(session, at=at)
    token = start_session(session, user, at=at, agent=agent, half=True)
    cookie["half"] = {"token": token, "next": target}


def half_signed_in(session: Session, *, at: datetime) -> User | None:
    """Who owes their second factor in this browser."""
    half = cookie.get("half")
    return load_half(session, str(half.get("token")), at=at) if isinstance(half, dict) else None


def note_factor(session: Session, session_id: int, *, at: datetime) -> None:
    """Remember that the second factor was given in this session."""
    statement = update(StaffSession).where(StaffSession.id == session_id)
    session.execute(statement.values(factor_at=at))


def sign_out(session: Session, *, at: datetime) -> None:
    """End this browser's session, so that copies of its cookie are worth nothing."""
    half = cookie.get("half")
    for token in (cookie.get("_user_id"), half.get("token") if isinstance(half, dict) else None):
        if isinstance(token, str):
            end_session(session, token, at=at)
    logout_user()
    cookie.clear()


def current_viewer_or_none() -> Viewer | None:
    """Who is looking, or None for a visitor."""
    return current_user.viewer if current_user and current_user.is_authenticated else None
