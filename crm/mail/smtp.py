"""The SMTP transport: one connection for all mails of a run, each mail's fate known by itself.

Until the mail's data is sent nothing can have gone, so it is simply tried later. Once the data is
on its way and no answer comes, it may have gone, and is uncertain: it is not sent again.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import structlog
from sqlalchemy.orm import Session

from crm.mail.mime import Skeleton, wire_address
from crm.mail.transport import Batch, Guarantee, Outcome, Parcel

log = structlog.get_logger(__name__)
TIMEOUT = 30.0
WANTED = ((250,), (250, 251), (354,))
"""The replies to MAIL, RCPT and DATA after which a mail goes on."""
PLAIN = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[A-Za-z0-9.-]+", re.ASCII)
LOST = (smtplib.SMTPException, OSError)


class SmtpTransport:
    """Sends through a mail server. Batches are small, so that a crash leaves few in doubt."""

    name = "smtp"
    guarantee = Guarantee.NONE
    size = 200
    files_apart = False

    def __init__(self, url: str, *, timeout: float = TIMEOUT) -> None:
        self.url = urlsplit(url)
        self.timeout = timeout
        self.server: smtplib.SMTP | None = None
        self.size = SmtpTransport.size

    def new_batch(self) -> str:
        """Nothing is held back here, so batches need no name that others know."""
        return uuid4().hex

    def cancel(self, batch_id: str) -> bool:
        """A mail server holds nothing back."""
        return False

    def release(self, batch_id: str) -> bool:
        """There is nothing to forget."""
        return True

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        """Send the mails one after another over one connection."""
        outcome = Outcome()
        skeleton = Skeleton(batch)
        sender = wire_address(batch.sender[1])
        for number, parcel in enumerate(batch.parcels):
            try:
                server = self.connection()
            except LOST as error:
                log.warning("mail.smtp_unreachable", error=type(error).__name__)
                outcome.later |= {p.message_id for p in batch.parcels[number:]}
                outcome.stop = True
                break
            self._one(server, sender, skeleton, parcel, outcome)
        return outcome

    def connection(self) -> smtplib.SMTP:
        """The open connection, or a new one that has said hello and signed in."""
        if self.server is None:
            self.server = self._connect()
        return self.server

    def _connect(self) -> smtplib.SMTP:
        host, secure = self.url.hostname or "localhost", self.url.scheme == "smtps"
        options: dict[str, Any] = {"timeout": self.timeout}
        if secure:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self.url.port or 465, context=context, **options
            )
        else:
            server = smtplib.SMTP(host, self.url.port or 25, **options)
        try:
            server.ehlo_or_helo_if_needed()
            if not secure and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if self.url.username:
                server.login(unquote(self.url.username), unquote(self.url.password or ""))
        except LOST:
            server.close()
            raise
        return server

    def _one(
        self,
        server: smtplib.SMTP,
        sender: str,
        skeleton: Skeleton,
        parcel: Parcel,
        outcome: Outcome,
    ) -> None:
        """Send one mail and note its fate."""
        try:
            recipient = wire_address(parcel.address)
            if recipient.splitlines() != [recipient]:
                raise UnicodeError("an address of several lines")
        except UnicodeError:
            outcome.refused[parcel.message_id] = "address"
            return
        message = skeleton.message(parcel)
        try:
            code = _envelope(server, sender, recipient)
        except LOST:
            self._drop()
            outcome.later.add(parcel.message_id)
            return
        if code == 354:
            try:
                server.send(message + b".\r\n")
                code = server.getreply()[0]
            except LOST:
                self._drop()  # the data may have arrived: uncertain, since it is named nowhere
                return
        else:
            self._reset(server)
        if 200 <= code < 300:
            outcome.accepted.add(parcel.message_id)
        elif 500 <= code < 600:
            outcome.refused[parcel.message_id] = str(code)
        else:
            outcome.later.add(parcel.message_id)

    def _reset(self, server: smtplib.SMTP) -> None:
        try:
            server.rset()
        except LOST:
            self._drop()

    def _drop(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    def close(self) -> None:
        """Say goodbye."""
        if self.server is not None:
            try:
                self.server.quit()
            except LOST:
                self.server.close()
            self.server = None


def _envelope(server: smtplib.SMTP, sender: str, recipient: str) -> int:
    """Say from whom and to whom; 354 if the server now wants the data, else its refusal.

    A server that can (RFC 2920) is told all three at once, which spares two round trips a mail.
    """
    commands = (f"MAIL FROM:{_path(sender)}", f"RCPT TO:{_path(recipient)}", "DATA")
    if not server.has_extn("pipelining"):
        code = 0
        for command, wanted in zip(commands, WANTED, strict=True):
            code = server.docmd(command)[0]
            if code not in wanted:
                break
        return code
    server.send("".join(command + "\r\n" for command in commands))
    codes = [server.getreply()[0] for _ in commands]
    for code, wanted in zip(codes[:2], WANTED, strict=False):
        if code not in wanted:
            if codes[2] == 354:
                server.docmd(".")  # it waits for data without anybody to give them to
            return code
    return codes[2]


def _path(address: str) -> str:
    """An address as a command takes it."""
    return f"<{address}>" if PLAIN.fullmatch(address) else smtplib.quoteaddr(address)
