"""Forgets the secrets that letters carried, once they are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, update

from crm.core.database import db
from crm.links.models import AddressConfirmation
from crm.mail.models import Message

SECRET_ORIGINS = ("link:sign-in", "link:invitation", "link:confirm")
CONFIRMATIONS = timedelta(days=30)


def forget_old(at: datetime) -> None:
    """Empty the codes and links out of letters that have expired, and drop old confirmations."""
    over = Message.origin.in_(SECRET_ORIGINS), Message.expires_at < at, Message.merge != {}
    db.session.execute(update(Message).where(*over).values(merge={}))
    old = AddressConfirmation.created_at < at - CONFIRMATIONS
    db.session.execute(delete(AddressConfirmation).where(old))
    db.session.commit()
