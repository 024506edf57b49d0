"""Forgets what is over: old codes, ended sessions, limits that have passed."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, or_

from crm.accounts.models import SignInCode, StaffSession
from crm.core.database import db
from crm.core.models import Throttle

CODES, SESSIONS, LIMITS = timedelta(days=7), timedelta(days=90), timedelta(days=2)


def forget_old(at: datetime) -> None:
    """Delete rows that nothing asks for any more."""
    db.session.execute(delete(SignInCode).where(SignInCode.expires_at < at - CODES))
    over = or_(StaffSession.ended_at < at - SESSIONS, StaffSession.expires_at < at - SESSIONS)
    db.session.execute(delete(StaffSession).where(over))
    db.session.execute(delete(Throttle).where(Throttle.window_start < at - LIMITS))
    db.session.commit()
