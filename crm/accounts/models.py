"""Staff accounts, their scopes, sign-in codes, server-side sessions and the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity
from crm.core.viewer import Role


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
    """A signed-in browser; ending the row ends the session, copied cookies included."""

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


class AuditEntry(Model):
    """Who did what to what, when; written with the change itself."""

    __tablename__ = "audit_entry"
    __table_args__ = (Index(None, "object_kind", "object_id"), Index(None, "at"))

    id: Mapped[int] = identity()
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    user_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    action: Mapped[str]
    object_kind: Mapped[str]
    object_id: Mapped[str]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
