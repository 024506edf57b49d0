"""The audit trail: one row with each change, in the same transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry
from crm.core.district import Choices, choose
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


def note_choice(
    session: Session, choices: Choices, action: str, *, by: Viewer, at: datetime
) -> dict[str, Any]:
    """Keep what the district chose and note what changed, if anything did; answers that."""
    changes = choose(session, choices, at=at)
    if changes:
        record(session, action, kind="setting", key=choices.key, by=by, at=at, **changes)
    return changes
