"""What the tables of this package keep, for how long, and why: the retention schedule.

The consent ledger and the suppressed addresses are on no schedule, and `register` refuses them.
"""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy import Table, and_, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from crm.accounts.models import AuditEntry, SignInCode, StaffSession
from crm.core.extend import Extensions, Keep
from crm.core.models import Throttle
from crm.imports.models import ImportLine, ImportRun, ImportState
from crm.links.models import AddressConfirmation
from crm.mail.models import (
    DeliveryEvent,
    MailboxItem,
    Message,
    MessageAttachment,
    MessageState,
)
from crm.rights.models import DataRequest, RequestState, RetentionRun

NEVER = frozenset({"consent_entry", "suppression", "alumnus", "legal_hold"})
"""What no schedule may touch."""
YEAR = 365
EMPTY = literal({}, JSONB)
ENDED = (MessageState.ACCEPTED, MessageState.SKIPPED, MessageState.FAILED)
SECRETS = ("link:sign-in", "link:invitation", "link:confirm", "link:rights", "link:join")


def register(known: Extensions, *keeps: Keep) -> None:
    """Add to the schedule; raises `ValueError` for a table that is kept for good."""
    for keep in keeps:
        if keep.table.name in NEVER:
            raise ValueError(f"{keep.table.name} is kept for good")
        if not keep.least <= keep.days <= keep.most:
            raise ValueError(f"{keep.key}: {keep.days} days are out of bounds")
        known.retention.append(keep)


def _table(model: Any) -> Table:
    table: Table = model.__table__
    return table


def _of_message(column: Any, wanted: Any) -> Any:
    """A value of the message that a row belongs to."""
    return select(wanted).where(Message.id == column).scalar_subquery()


def keeps() -> list[Keep]:
    """The schedule of this package."""
    return [*_of_accounts(), *_of_mail(), *_of_records()]


def _of_accounts() -> list[Keep]:
    over = func.least(StaffSession.ended_at, StaffSession.expires_at)
    return [
        Keep("sign_in_code", _("Sign-in codes"), _("good for minutes; kept to look into misuse"),
             _table(SignInCode), SignInCode.expires_at, 7, 1, 30),
        Keep("staff_session", _("Ended sessions of staff"), _("to answer who was signed in where"),
             _table(StaffSession), over, 90, 7, 365),
        Keep("throttle", _("Counts of tries"), _("no limit looks further back"),
             _table(Throttle), Throttle.window_start, 2, 2, 2),
        Keep("address_confirmation", _("Codes for new addresses"), _("good for half an hour"),
             _table(AddressConfirmation), AddressConfirmation.created_at, 30, 1, 90,
             person=AddressConfirmation.alumnus_id),
    ]  # fmt: skip


def _of_mail() -> list[Keep]:
    secret = and_(Message.origin.in_(SECRETS), Message.merge != EMPTY)
    return [
        Keep("secret_letter", _("Codes and links in letters"), _("nobody needs them once over"),
             _table(Message), Message.expires_at, 0, 0, 0, secret, {"merge": {}}),
        Keep("message_words", _("What a mail said to one person"),
             _("the letter itself stays as a version; only its personal words go"),
             _table(Message), Message.queued_at, 2 * YEAR, 90, 6 * YEAR,
             and_(Message.state.in_(ENDED), Message.merge != EMPTY), {"merge": {}},
             Message.alumnus_id),
        Keep("delivery_payload", _("What the provider told us, word for word"),
             _("what happened and when stays; the words hold addresses and devices"),
             _table(DeliveryEvent), DeliveryEvent.received_at, 180, 30, 2 * YEAR,
             DeliveryEvent.payload != EMPTY, {"payload": {}},
             _of_message(DeliveryEvent.message_id, Message.alumnus_id)),
        Keep("delivery_event", _("What became of each mail, event by event"),
             _("the mail itself keeps whether it was delivered and clicked"),
             _table(DeliveryEvent), _table(DeliveryEvent).c.at, 3 * YEAR, YEAR, 6 * YEAR,
             None, None,
             _of_message(DeliveryEvent.message_id, Message.alumnus_id)),
        Keep("mailbox_item", _("Mail in the app’s own mailbox"),
             _("it stands in for a provider while one tries things out"),
             _table(MailboxItem), MailboxItem.at, 90, 7, YEAR, None, None,
             _of_message(MailboxItem.message_id, Message.alumnus_id)),
        Keep("message_attachment", _("Files that went with mail"),
             _("the receiver has them"), _table(MessageAttachment),
             _of_message(MessageAttachment.message_id,
                         func.coalesce(Message.accepted_at, Message.ended_at)),
             90, 14, YEAR, None, None,
             _of_message(MessageAttachment.message_id, Message.alumnus_id)),
    ]  # fmt: skip


def _of_records() -> list[Keep]:
    undone = select(ImportRun.created_at).where(ImportRun.id == ImportLine.import_id)
    has_words = or_(
        ImportLine.changes.is_not(None), ImportLine.external_id.is_not(None),
        ImportLine.reason.is_not(None),
    )  # fmt: skip
    still_open = select(ImportRun.id).where(
        ImportRun.id == ImportLine.import_id,
        ImportRun.state.in_([ImportState.APPLYING, ImportState.CHECKING]),
    )
    return [
        Keep("import_line", _("What the lines of files said"),
             _("until then an import can be undone; that it came, and its fate, stays"),
             _table(ImportLine), undone.scalar_subquery(), YEAR, 90, 6 * YEAR,
             and_(has_words, ~still_open.exists()),
             {"changes": None, "external_id": None, "reason": None}, ImportLine.alumnus_id),
        Keep("data_request", _("Requests about data"), _("to show that they were met"),
             _table(DataRequest), DataRequest.asked_at, 3 * YEAR, YEAR, 6 * YEAR,
             DataRequest.state != RequestState.OPEN, None, DataRequest.alumnus_id),
        Keep("audit_entry", _("The audit trail"), _("to answer who did what; a records rule"),
             _table(AuditEntry), AuditEntry.at, 6 * YEAR, YEAR, 10 * YEAR),
        Keep("retention_run", _("The log of this schedule"), _("as long as the audit trail"),
             _table(RetentionRun), RetentionRun.at, 6 * YEAR, YEAR, 10 * YEAR),
    ]  # fmt: skip
