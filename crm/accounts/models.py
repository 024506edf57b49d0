"""Staff accounts, their scopes, sign-in codes, server-side sessions and the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity
from crm.core.viewer import Role

LOOKED = "alumnus.looked"


class User(Model):
    """A staff login. Nobody signs in with a password: a code or link is mailed."""

    __tablename__ = "staff_user"
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[int] = identity()
    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(Choice(Role))
    language: Mapped[str] = mapped_column(default="en")
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    # When a second factor was first asked of them: the enrolment period runs from then.
    factor_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class RolePermission(Model):
    """A district's decision to grant a permission to a role, or to take it away."""

    __tablename__ = "role_permission"

    role: Mapped[Role] = mapped_column(Choice(Role), primary_key=True)
    permission: Mapped[str] = mapped_column(primary_key=True)
    granted: Mapped[bool]


class SecondFactor(Model):
    """An authenticator app of an account; it counts once a code of it was entered.

    `secret` is sealed with a key from the installation's signing key. `last_step` is the latest
    step of 30 seconds whose code was used, so that no code is good twice.
    """

    __tablename__ = "second_factor"

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)
    secret: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Model):
    """A code that stands in for a lost authenticator, once; only its keyed hash is kept."""

    __tablename__ = "recovery_code"
    __table_args__ = (Index(None, "user_id"),)

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class UserScope(Model):
    """A school or a cluster that a liaison, school or viewer account may look into."""

    __tablename__ = "staff_user_scope"
    __table_args__ = (
        UniqueConstraint("user_id", "school_id", "cluster_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("(school_id is null) <> (cluster_id is null)", name="one_place"),
    )

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    school_id: Mapped[int | None] = mapped_column(ForeignKey("school.id"))
    cluster_id: Mapped[int | None] = mapped_column(ForeignKey("cluster.id"))


class SignInCode(Model):
    """A mailed way in, for one user, once, for minutes; only hashes are kept."""

    __tablename__ = "sign_in_code"
    __table_args__ = (UniqueConstraint("token_hash"), Index(None, "user_id", "created_at"))

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    token_hash: Mapped[str]
    code_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    attempts: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class StaffSession(Model):
    """A signed-in browser; ending the row ends the session, copied cookies included.

    A half session proved only the mail address and sees nothing: it waits for the second factor.
    """

    __tablename__ = "staff_session"
    __table_args__ = (UniqueConstraint("token_hash"), Index(None, "user_id"))

    id: Mapped[int] = identity()
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    token_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    agent: Mapped[str] = mapped_column(default="")
    half: Mapped[bool] = mapped_column(default=False)
    factor_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class AuditEntry(Model):
    """Who did what to what, when; written with the change itself.

    A look at a person's contact data (`LOOKED`) is kept once for each viewer, person and hour.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index(None, "object_kind", "object_id"),
        Index(None, "at"),
        Index(None, "user_id", "id"),
        Index(None, "action", "id"),
        Index(
            "uq_audit_entry_look", "user_id", "object_id",
            text("date_trunc('hour', timezone('UTC', at))"), unique=True,
            postgresql_where=text("action = 'alumnus.looked'"),
        ),
    )  # fmt: skip

    id: Mapped[int] = identity()
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    user_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    action: Mapped[str]
    object_kind: Mapped[str]
    object_id: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
