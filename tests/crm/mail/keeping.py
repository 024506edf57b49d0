"""What the mailbox kept."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.mail import mailbox, reasons
from crm.mail.models import MailboxItem


def kept(session: Session) -> list[mailbox.KeptMail]:
    ids = session.scalars(select(MailboxItem.id).order_by(MailboxItem.id))
    return [mailbox.load_mail(session, n) for n in ids]


WHY_NOT: list[tuple[dict[str, Any], str]] = [
    ({"deceased": True}, reasons.DECEASED),
    ({"ferpa_block": True}, reasons.BLOCKED),
    ({"do_not_contact": True}, reasons.DO_NOT_CONTACT),
    ({"paused_until": date(2027, 1, 1)}, reasons.PAUSED),
    ({"birth_date": date(2009, 1, 1)}, reasons.UNDER_AGE),
    ({"email": None}, reasons.NO_ADDRESS),
]
