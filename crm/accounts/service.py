"""What changes staff accounts: invite, change role and scope, deactivate, end sessions."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from flask_babel import gettext as _
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit, queries
from crm.accounts.models import StaffSession, User, UserScope
from crm.accounts.signin import LINK_LIFE, sign_in_link
from crm.core.errors import Conflict, Invalid, NotFound
from crm.core.extend import extensions
from crm.core.throttle import TooMany, hit
from crm.core.viewer import Role, Viewer
from crm.schools.models import Cluster, School
from crm.web.i18n import STAFF_LANGUAGES

MAX_NAME = 120
HOUR = timedelta(hours=1)
NEEDS_SCOPE = frozenset({Role.LIAISON, Role.SCHOOL})


def staff_address(text: str) -> str:
    """A mail address in the form that accounts are found by; raises `Invalid`."""
    try:
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise Invalid(
            "This is no mail address. Write one such as name@example.org.", field="email"
        ) from error
    return str(found.normalized).lower()


def invite(
    session: Session,
    *,
    email: str,
    role: Role,
    name: str = "",
    school_ids: Collection[int] = (),
    cluster_ids: Collection[int] = (),
    by: Viewer,
    at: datetime,
) -> tuple[User, str]:
    """Make an account, or renew the one of that address, and mail its sign-in link.

    Answers the account and the link (good once, for a day). An existing account gets the role and
    the scope given here, and is active again.
    """
    address = staff_address(email)
    user = queries.user_by_email(session, address)
    if user is None:
        user = User(
            email=address, name=_name(name or address.partition("@")[0]), role=role, created_at=at
        )
        session.add(user)
        session.flush()
        audit.record(session, "user.invited", kind="user", key=user.id, by=by, at=at, role=role)
    else:
        if name:
            user.name = _name(name)
        reactivate(session, user, by=by, at=at)
    set_access(
        session, user, role=role, school_ids=school_ids, cluster_ids=cluster_ids, by=by, at=at
    )
    return user, send_invitation(session, user, by=by, at=at)


def send_invitation(session: Session, user: User, *, by: Viewer, at: datetime) -> str:
    """Mail a fresh sign-in link to an active account and answer it."""
    if not user.active:
        raise Conflict("This account is deactivated. Activate it first.")
    _keep_within_limits(session, user, by=by, at=at)
    link = sign_in_link(session, user, at=at)
    letters = extensions().letters
    if letters is None:
        raise LookupError("no area registered how letters are sent")
    letters(
        session, "staff-invitation", key=f"invitation:{user.id}:{at.timestamp()}",
        to_address=user.email, language=user.language,
        merge={"staff_name": user.name, "sign_in_link": link},
        origin="link:invitation", at=at, expires_at=at + LINK_LIFE,
    )  # fmt: skip
    audit.record(session, "user.link_sent", kind="user", key=user.id, by=by, at=at)
    return link


def _keep_within_limits(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """Whoever owns the machine may send as many links as they like; a signed-in account may not."""
    if by.user_id is None:
        return
    allowed = [
        hit(session, f"invitation:to:{user.id}", limit=5, per=HOUR, at=at),
        hit(session, f"invitation:by:{by.user_id}", limit=60, per=HOUR, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("Too many links were sent. Wait an hour.")])


def set_access(
    session: Session,
    user: User,
    *,
    role: Role,
    school_ids: Collection[int],
    cluster_ids: Collection[int],
    by: Viewer,
    at: datetime,
) -> None:
    """Give an account its role and the places it may look into; takes effect at once."""
    if role is Role.COORDINATOR:
        school_ids = cluster_ids = ()
    if role in NEEDS_SCOPE and not school_ids and not cluster_ids:
        raise Invalid("Choose at least one school or cluster for this role.", field="schools")
    _check_places(session, school_ids, cluster_ids)
    if user.role is Role.COORDINATOR and role is not Role.COORDINATOR:
        _keep_a_coordinator(session, user)
    before = queries.scopes_of(session, [user.id])[user.id]
    same = {s for s, _ in before.schools} == set(school_ids)
    same = same and {c for c, _ in before.clusters} == set(cluster_ids)
    if user.role is role and same:
        return
    old_role, user.role = user.role, role
    if role is Role.COORDINATOR and user.factor_asked_at is None:
        user.factor_asked_at = at
    session.execute(delete(UserScope).where(UserScope.user_id == user.id))
    session.add_all(UserScope(user_id=user.id, school_id=s) for s in sorted(set(school_ids)))
    session.add_all(UserScope(user_id=user.id, cluster_id=c) for c in sorted(set(cluster_ids)))
    session.flush()
    after = queries.scopes_of(session, [user.id])[user.id]
    audit.record(
        session, "user.access_changed", kind="user", key=user.id, by=by, at=at,
        before={"role": old_role, "places": before.names},
        after={"role": role, "places": after.names},
    )  # fmt: skip
    session.flush()


def _check_places(
    session: Session, school_ids: Collection[int], cluster_ids: Collection[int]
) -> None:
    known = set(session.scalars(select(School.id).where(School.id.in_(school_ids))))
    if set(school_ids) - known:
        raise Invalid("There is no such school.", field="schools")
    known = set(session.scalars(select(Cluster.id).where(Cluster.id.in_(cluster_ids))))
    if set(cluster_ids) - known:
        raise Invalid("There is no such cluster.", field="clusters")


def _keep_a_coordinator(session: Session, user: User) -> None:
    others = select(func.count()).where(
        User.role == Role.COORDINATOR, User.active, User.id != user.id
    )
    if not session.execute(others).scalar_one():
        raise Conflict("This is the only coordinator. Invite another one first.")


def deactivate(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """Close an account: all its sessions end at once."""
    if user.id == by.user_id:
        raise Conflict("You cannot deactivate your own account.")
    if user.active and user.role is Role.COORDINATOR:
        _keep_a_coordinator(session, user)
    end_sessions(session, user.id, at=at)
    if user.active:
        user.active = False
        audit.record(session, "user.deactivated", kind="user", key=user.id, by=by, at=at)
    session.flush()


def reactivate(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """Open a closed account again; its old sessions stay ended."""
    if not user.active:
        user.active = True
        audit.record(session, "user.reactivated", kind="user", key=user.id, by=by, at=at)
        session.flush()


def end_sessions(session: Session, user_id: int, *, at: datetime) -> None:
    """End every session of an account."""
    statement = update(StaffSession).where(
        StaffSession.user_id == user_id, StaffSession.ended_at.is_(None)
    )
    session.execute(statement.values(ended_at=at))


def sign_out_everywhere(session: Session, user: User, *, by: Viewer, at: datetime) -> None:
    """End every session of an account that stays open."""
    end_sessions(session, user.id, at=at)
    audit.record(session, "user.sessions_ended", kind="user", key=user.id, by=by, at=at)
    session.flush()


def end_other_sessions(
    session: Session, user: User, here: int, *, by: Viewer, at: datetime
) -> None:
    """End every session of an account but the one in use."""
    statement = update(StaffSession).where(
        StaffSession.user_id == user.id, StaffSession.ended_at.is_(None), StaffSession.id != here
    )
    session.execute(statement.values(ended_at=at))
    audit.record(session, "user.sessions_ended", kind="user", key=user.id, by=by, at=at)
    session.flush()


def end_session(
    session: Session, user_id: int, session_id: int, *, by: Viewer, at: datetime
) -> None:
    """End one session of that account; raises `NotFound` for anybody else's."""
    found = session.get(StaffSession, session_id)
    if found is None or found.user_id != user_id:
        raise NotFound("There is no such session.")
    if found.ended_at is None:
        found.ended_at = at
        audit.record(session, "user.session_ended", kind="user", key=user_id, by=by, at=at)
    session.flush()


def edit_own(
    session: Session, user: User, *, name: str, language: str, by: Viewer, at: datetime
) -> None:
    """Change one's own name and language."""
    if language not in STAFF_LANGUAGES:
        raise Invalid("Choose one of the languages.", field="language")
    before = {"name": user.name, "language": user.language}
    user.name, user.language = _name(name), language
    after = {"name": user.name, "language": user.language}
    if before != after:
        audit.record(
            session, "user.edited", kind="user", key=user.id, by=by, at=at,
            before=before, after=after,
        )  # fmt: skip
    session.flush()


def _name(text: str) -> str:
    name = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not name or len(name) > MAX_NAME:
        raise Invalid("Write a name of at most %(most)s characters.", field="name", most=MAX_NAME)
    return name
