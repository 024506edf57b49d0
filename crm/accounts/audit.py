"""The audit trail: one row with each change, in the same transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.core.viewer import Viewer


def record(
    session: Session,
    action: str,
    *,
    kind: str,
    key: object,
    by: Viewer | None,
    at: datetime,
    **detail: Any,
) -> None:
    """Note that `by` did `action` to the `kind` named `key`; `detail` holds plain JSON values."""
    session.add(
        AuditEntry(
            at=at,
            user_id=by.user_id if by else None,
            action=action,
            object_kind=kind,
            object_id=str(key),
            detail=detail,
        )
    )
