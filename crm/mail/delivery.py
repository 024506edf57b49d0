"""Hands due messages to the provider: claim, commit, hand over, record (law 1).

Any number of deliverers may run at once and be killed at any point. A message is claimed, and that
is committed, before anything leaves; what became of it is recorded after. Between the two its fate
is not known, and `crm.mail.reconcile` settles it without guessing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any
from uuid import UUID, uuid4

import structlog
from flask import Flask, current_app, has_app_context
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.extend import Recipient
from crm.mail import claim as claims
from crm.mail import facts, reasons, values
from crm.mail.ahead import Ahead
from crm.mail.claim import Claim, Claimed, Consignment
from crm.mail.content import variants_of
from crm.mail.facts import Group
from crm.mail.letter import LETTERS, UNSUBSCRIBE, Footer
from crm.mail.mailbox import attachments_of
from crm.mail.models import Message, MessageClass, MessageState, SendAttempt
from crm.mail.outbox import Attachment
from crm.mail.preview import topic_label
from crm.mail.transport import Batch, Outcome, Parcel, Transport, TransportDown
from crm.mail.transports import transport_of

log = structlog.get_logger(__name__)
RETRY = timedelta(minutes=5)


@dataclass
class DeliveryReport:
    """What one run did; `waiting` is how many messages are queued for later."""

    accepted: int = 0
    uncertain: int = 0
    failed: int = 0
    skipped: int = 0
    waiting: int = 0

    def as_dict(self) -> dict[str, int]:
        """The figures by name."""
        return asdict(self)


def deliver(
    app: Flask, *, at: datetime, until_dry: bool = True, batch: int = 1_000,
    transport: Transport | None = None,
) -> DeliveryReport:  # fmt: skip
    """Hand over what is due at a moment; with `until_dry` until nothing is.

    Commits batch by batch, of `batch` messages at most; `transport` replaces that of the settings.
    """
    with standing_in(app):
        report = DeliveryReport()
        carrier = transport or transport_of(app)
        carrier.size = min(carrier.size, batch)
        run = Run(db.session(), carrier, at, report, app)
        try:
            while run.round() and until_dry:
                pass
        except TransportDown as error:
            db.session.rollback()
            log.warning("mail.transport_down", transport=carrier.name, detail=str(error))
        finally:
            carrier.close()
        report.waiting = waiting(db.session())
        db.session.commit()
        if report.accepted or report.uncertain or report.failed:
            log.info("mail.delivered", **report.as_dict())
        return report


@contextmanager
def standing_in(app: Flask) -> Iterator[None]:
    """The app's context: the one we stand in, if it is this app's."""
    if has_app_context() and current_app._get_current_object() is app:  # type: ignore[attr-defined]
        yield
        return
    with app.app_context():
        yield


def waiting(session: Session) -> int:
    """How many messages are queued."""
    statement = select(func.count()).where(Message.state == MessageState.QUEUED)
    return int(session.execute(statement).scalar_one())


class Run:
    """One deliverer at work at one moment."""

    def __init__(
        self,
        session: Session,
        transport: Transport,
        at: datetime,
        report: DeliveryReport,
        app: Flask,
    ) -> None:
        self.session = session
        self.transport = transport
        self.at = at
        self.report = report
        self.app = app
        self.hold = timedelta(minutes=app.config["SETTINGS"].send_hold)
        self.sender = parseaddr(app.config["SETTINGS"].mail_from)

    def round(self) -> int:
        """Work through everything due once; answers how many messages were decided about."""
        decided = 0
        groups = facts.due_groups(self.session, self.at)
        self.session.commit()
        for group in groups:
            with Ahead(self.app, self.claim) as ahead:
                done = self.claim(self.session, group, None)
                while True:
                    self.report.skipped += done.skipped
                    decided += done.skipped + done.deferred
                    if done.place is not None:
                        ahead.plan(group, done.place)
                    decided += self.deal(done, ahead)
                    if done.place is None:
                        break
                    done = ahead.result()
        return decided

    def claim(self, session: Session, group: Group, place: facts.Place | None) -> Claim:
        """Claim the next messages of a group and commit that."""
        done = claims.claim(session, group, self.transport, at=self.at, hold=self.hold, after=place)
        session.commit()
        return done

    def deal(self, done: Claim, ahead: Ahead) -> int:
        """Send what was claimed; if that must stop, what was not handed over goes back."""
        rest = iter(done.consignments)
        try:
            for consignment in rest:
                self.send(consignment, ahead)
        except BaseException:
            self.session.rollback()
            for consignment in (*rest, *ahead.left()):
                ids = {message.id for message in consignment.messages}
                self.record(consignment, Outcome(later=ids))
            raise
        return sum(len(consignment.messages) for consignment in done.consignments)

    def send(self, consignment: Consignment, ahead: Ahead) -> None:
        """Hand one consignment over and record what came of it; meanwhile the next are claimed."""
        try:
            batch = self.pack(consignment)
        except Exception:
            self.session.rollback()
            log.exception("mail.letter_failed", version=consignment.version_id)
            ids = {message.id for message in consignment.messages}
            self.record(consignment, Outcome(later=ids, wait=int(RETRY.total_seconds())))
            return
        ahead.start()
        outcome = self.transport.hand_over(self.session, batch)
        self.record(consignment, outcome)
        for part in outcome.parts:
            again = self.again(consignment, set(part))
            if again.messages:
                self.send(again, ahead)
        if outcome.stop:
            raise TransportDown("the provider asks to wait")

    def pack(self, consignment: Consignment) -> Batch:
        """The letter and each recipient's part of it. Everything that may fail does so here."""
        session, version_id = self.session, consignment.version_id
        leave = consignment.message_class is not MessageClass.IMMEDIATE
        topic = topic_label(session, version_id, consignment.language) if leave else None
        footer = Footer(topic or "", leave)
        variant = variants_of(session, version_id)[consignment.language]
        letter = LETTERS.letter((version_id, consignment.language), variant, footer)
        recipients = [_recipient(message, consignment.language) for message in consignment.messages]
        said = values.values_for(session, recipients, letter.names, self.at)
        files = _files(session, consignment)
        parcels = [
            _parcel(message, letter.substitutions(own), own if leave else {}, files[message.id])
            for message, own in zip(consignment.messages, said, strict=True)
        ]
        session.commit()
        return Batch(
            consignment.batch_id, letter, self.sender, parcels, self.at, consignment.send_at
        )

    def record(self, consignment: Consignment, outcome: Outcome) -> None:
        """Write down the outcome in one transaction, with what the transport wrote itself."""
        again = {i for part in outcome.parts for i in part}
        unknown = outcome.uncertain(message.id for message in consignment.messages)
        batch_id, at = consignment.batch_id, self.at
        accepted = {"state": MessageState.ACCEPTED, "accepted_at": at}
        failed = {"reason": reasons.REFUSED_BY_PROVIDER, "ended_at": at}
        queued = {
            "state": MessageState.QUEUED, "batch_id": None, "send_at": None,
            "not_before": at + timedelta(seconds=outcome.wait),
        }  # fmt: skip
        whole = len(consignment.messages)
        for ids, result, changes in (
            (outcome.accepted, "", accepted),
            (unknown, "uncertain", {"state": MessageState.UNCERTAIN}),
            (set(outcome.refused), "refused", {"state": MessageState.FAILED, **failed}),
            (outcome.later, "try later", queued),
        ):
            _end(self.session, batch_id, None if len(ids) == whole else ids, changes)
            _note(self.session, batch_id, ids, result)
        _note(self.session, batch_id, again, "split")
        self.session.commit()
        self.report.accepted += len(outcome.accepted)
        self.report.uncertain += len(unknown)
        self.report.failed += len(outcome.refused)

    def again(self, consignment: Consignment, ids: set[UUID]) -> Consignment:
        """Part of a consignment, of which nothing went, claimed anew as a batch of its own."""
        batch_id = self.transport.new_batch() if consignment.send_at else uuid4().hex
        mine = Message.batch_id == consignment.batch_id, Message.state == MessageState.CLAIMED
        statement = update(Message).where(Message.id.in_(ids), *mine)
        moved = set(
            self.session.scalars(
                statement.values(
                    batch_id=batch_id, attempt=Message.attempt + 1, claimed_at=self.at
                ).returning(Message.id),
                execution_options={"synchronize_session": False},
            )
        )
        claims.note_attempts(self.session, batch_id, self.at)
        self.session.commit()
        part = [m._replace(attempt=m.attempt + 1) for m in consignment.messages if m.id in moved]
        return Consignment(
            batch_id, consignment.version_id, consignment.language, consignment.message_class,
            part, consignment.send_at, consignment.attached,
        )  # fmt: skip


def _end(
    session: Session, batch_id: str, ids: set[UUID] | None, changes: Mapping[str, Any]
) -> None:
    """Move messages of a batch (all of them for None) that are still in its hands."""
    if ids is not None and not ids:
        return
    open_states = [MessageState.CLAIMED, MessageState.UNCERTAIN]
    statement = update(Message).where(Message.batch_id == batch_id, Message.state.in_(open_states))
    if ids is not None:
        statement = statement.where(Message.id.in_(ids))
    session.execute(statement.values(**changes), execution_options={"synchronize_session": False})


def _note(session: Session, batch_id: str, ids: set[UUID], result: str) -> None:
    """Note how an attempt went, unless it went well, which the message itself tells."""
    if not ids or not result:
        return
    statement = update(SendAttempt).where(
        SendAttempt.message_id.in_(ids), SendAttempt.batch_id == batch_id
    )
    session.execute(
        statement.values(result=result), execution_options={"synchronize_session": False}
    )


def _recipient(message: Claimed, language: str) -> Recipient:
    return Recipient(
        message_id=message.id, alumnus_id=message.alumnus_id, contact_point_id=message.point_id,
        address=message.address, language=language, link_epoch=message.link_epoch,
        merge=message.merge,
    )  # fmt: skip


def _parcel(
    message: Claimed,
    substitutions: Mapping[str, str],
    said: Mapping[str, str],
    files: Sequence[Attachment],
) -> Parcel:
    return Parcel(
        message.id, message.attempt, message.origin, message.address, substitutions,
        said.get(UNSUBSCRIBE, ""), files,
    )  # fmt: skip


def _files(session: Session, consignment: Consignment) -> Mapping[UUID, list[Attachment]]:
    """The files of each message of a consignment."""
    found: dict[UUID, list[Attachment]] = {message.id: [] for message in consignment.messages}
    if consignment.attached:
        for row in attachments_of(session, found):
            found[row.message_id].append(Attachment(row.name, row.media_type, row.body))
    return found
