"""The mailbox transport: mail is kept in the database and shown at /mailbox.

It is exact: its rows are written in the same transaction that records the messages as accepted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from email.utils import formataddr
from uuid import UUID, uuid4

from sqlalchemy import Select, Text, Uuid, insert, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from crm.core.database import UTCDateTime, among, rows_of
from crm.core.errors import NotFound
from crm.mail.letter import fill
from crm.mail.models import MailboxBatch, MailboxItem, Message, MessageAttachment
from crm.mail.transport import Batch, Guarantee, Outcome

_KEPT = {"message_id": Uuid(), "to_address": Text(), "headers": JSONB(), "substitutions": JSONB()}


class MailboxTransport:
    """Keeps mail instead of sending it."""

    name = "mailbox"
    guarantee = Guarantee.KEY
    size = 1_000
    files_apart = False

    def new_batch(self) -> str:
        """Nothing is held back here, so batches need no name that others know."""
        return uuid4().hex

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        """Keep the batch; a message that is kept already stays as it is."""
        kept = session.scalars(
            insert(MailboxBatch)
            .values(
                batch_id=batch.id, sender=formataddr(batch.sender), subject=batch.letter.subject,
                html=batch.letter.html, plain=batch.letter.text, at=batch.at,
            )
            .returning(MailboxBatch.id)
        ).one()  # fmt: skip
        given, parameters = rows_of(_KEPT, (
            {
                "message_id": p.message_id, "to_address": p.address, "headers": p.headers,
                "substitutions": dict(p.substitutions),
            }
            for p in batch.parcels
        ))  # fmt: skip
        rows = select(*given.c, literal(kept), literal(batch.at, UTCDateTime()))
        item = upsert(MailboxItem).from_select([*_KEPT, "batch_id", "at"], rows)
        session.connection().execute(item.on_conflict_do_nothing(), parameters)
        return Outcome(accepted={p.message_id for p in batch.parcels})

    def cancel(self, batch_id: str) -> bool:
        """Nothing is held back here."""
        return False

    def release(self, batch_id: str) -> bool:
        """There is nothing to forget."""
        return True

    def close(self) -> None:
        """There is no connection."""


@dataclass(frozen=True)
class KeptMail:
    """A mail as its reader would see it."""

    item: MailboxItem
    origin: str
    sender: str
    subject: str
    html: str
    text: str
    attachments: list[MessageAttachment]


def people_of(message_ids: Collection[UUID]) -> Select[int]:
    """Whom these messages went to; letters to staff went to no alumnus."""
    return select(Message.alumnus_id).where(among(Message.id, message_ids))  # type: ignore[return-value]


def kept_mails(search: str = "") -> Select[MailboxItem, str]:
    """The kept mails with their subject skeletons, to be paged newest first."""
    statement = select(MailboxItem, MailboxBatch.subject).join(
        MailboxBatch, MailboxBatch.id == MailboxItem.batch_id
    )
    if search := search.strip().lower():
        pattern = search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        statement = statement.where(MailboxItem.to_address.like(f"%{pattern}%"))
    return statement


def subject_of(item: MailboxItem, skeleton: str) -> str:
    """The subject line of one kept mail."""
    return fill(skeleton, item.substitutions)


def load_mail(session: Session, item_id: int) -> KeptMail:
    """One kept mail; raises `NotFound`."""
    row = session.execute(
        select(MailboxItem, MailboxBatch, Message.origin)
        .join(MailboxBatch, MailboxBatch.id == MailboxItem.batch_id)
        .outerjoin(Message, Message.id == MailboxItem.message_id)
        .where(MailboxItem.id == item_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such mail.")
    item, batch, origin = row
    own = item.substitutions
    return KeptMail(
        item, origin or "", batch.sender, fill(batch.subject, own), fill(batch.html, own),
        fill(batch.plain, own), attachments_of(session, [item.message_id]),
    )  # fmt: skip


def attachments_of(session: Session, messages: Collection[UUID]) -> list[MessageAttachment]:
    """The files that go with these messages, each one's in the order given."""
    statement = select(MessageAttachment).where(MessageAttachment.message_id.in_(messages))
    return list(session.scalars(statement.order_by(MessageAttachment.id)))
