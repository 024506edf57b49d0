"""Mail as bytes: the skeleton of a batch is encoded once, each recipient's values are put in.

Bodies are quoted-printable, which survives every server and any line length. The literal pieces are
encoded ahead; a value is encoded alone and joined by soft line breaks, so that no line grows too
long whatever is put in.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC
from email.utils import format_datetime

from crm.mail.letter import TAG, fill, one_line
from crm.mail.outbox import Attachment
from crm.mail.transport import Batch, Parcel

SOFT = b"=\r\n"
WORD_BYTES = 45
# What needs no encoding and cannot begin a line with the dot that ends a mail in SMTP.
PLAIN_VALUE = re.compile(r"[!-\-/-<>-~][ -<>-~]{0,68}[!-<>-~]\Z")
# The same in any length, without a blank: it may be cut anywhere.
PLAIN_LINK = re.compile(r"[!-<>-~]+\Z")
LINE = 72
LEADING_DOT = re.compile(rb"(?m)^\.")
PLAIN = re.compile(r"[ -~]*\Z")


class Skeleton:
    """A batch's mail with holes; `message` fills them for one parcel."""

    def __init__(self, batch: Batch) -> None:
        self.subject = batch.letter.subject
        self.boundary = f"=_hc_{batch.id}"
        self.domain = batch.sender[1].rpartition("@")[2]
        self.head = _lines(
            f"From: {_mailbox(*batch.sender)}",
            f"Date: {format_datetime(batch.at.astimezone(UTC))}",
            "MIME-Version: 1.0",
            f"Content-Language: {batch.letter.language}",
        )
        part = "\r\n".join(
            (
                "--" + self.boundary, "Content-Type: text/{kind}; charset=utf-8",
                "Content-Transfer-Encoding: quoted-printable", "", "",
            )
        )  # fmt: skip
        pieces: list[bytes | str] = [
            part.format(kind="plain").encode(),
            *_pieces(batch.letter.text),
            ("\r\n" + part.format(kind="html")).encode(),
            *_pieces(batch.letter.html),
            f"\r\n--{self.boundary}--\r\n".encode(),
        ]
        self.holes = [(n, piece) for n, piece in enumerate(pieces) if isinstance(piece, str)]
        self.tags = {tag for _, tag in self.holes}
        self.pieces = [piece if isinstance(piece, bytes) else b"" for piece in pieces]

    def message(self, parcel: Parcel) -> bytes:
        """The whole mail for one recipient as SMTP sends it: CR LF, leading dots doubled."""
        values = parcel.substitutions
        coded = {tag: _value(values.get(tag, "")) for tag in self.tags}
        for place, tag in self.holes:
            self.pieces[place] = coded[tag]
        body = b"".join(self.pieces)
        headers = [
            f"To: {parcel.address}",
            f"Subject: {encoded_words(fill(self.subject, values), 9)}",
            f"Message-ID: {parcel.mail_id(self.domain)}",
            *(f"{name}: {value}" for name, value in parcel.headers.items()),
            f"X-Homecoming-Origin: {one_line(parcel.origin)}",
        ]
        alternative = f'Content-Type: multipart/alternative; boundary="{self.boundary}"'
        if not parcel.attachments:
            return self.head + _lines(*headers, alternative, "") + body
        return self.head + _mixed(self.boundary, headers, alternative, body, parcel.attachments)


def _mixed(
    boundary: str, headers: Sequence[str], alternative: str, body: bytes,
    attachments: Sequence[Attachment],
) -> bytes:  # fmt: skip
    """A mail with files: the alternative body first, then each file."""
    outer = boundary + "_files"
    whole = [
        _lines(*headers, f'Content-Type: multipart/mixed; boundary="{outer}"', ""),
        _lines(f"--{outer}", alternative, ""), body,
    ]  # fmt: skip
    for attachment in attachments:
        name = re.sub(r"[^\w.\- ]", "_", attachment.name, flags=re.ASCII)
        coded = base64.encodebytes(attachment.body).replace(b"\n", b"\r\n")
        whole += [
            _lines(
                f"--{outer}", f'Content-Type: {one_line(attachment.media_type)}; name="{name}"',
                "Content-Transfer-Encoding: base64",
                f'Content-Disposition: attachment; filename="{name}"', "",
            ),
            coded,
        ]  # fmt: skip
    return b"".join([*whole, f"--{outer}--\r\n".encode()])


def _lines(*lines: str) -> bytes:
    return "".join(line + "\r\n" for line in lines).encode("utf-8")


def _pieces(text: str) -> list[bytes | str]:
    """A skeleton as encoded literals and the tags between them, with soft breaks around tags."""
    found: list[bytes | str] = []
    start = 0
    for match in TAG.finditer(text):
        found += [_stuffed(_soft(quoted(text[start : match.start()]))), match[0]]
        start = match.end()
    found.append(_stuffed(quoted(text[start:])))
    return found


def _value(value: str) -> bytes:
    if PLAIN_VALUE.match(value):
        return value.encode() + SOFT
    if PLAIN_LINK.match(value):
        lines = [value[start : start + LINE] for start in range(0, len(value), LINE)]
        if not any(line.startswith(".") for line in lines):
            return ("=\r\n".join(lines) + "=\r\n").encode()
    return _stuffed(_soft(quoted(value)))


def _stuffed(coded: bytes) -> bytes:
    """Lines with a leading dot doubled, as SMTP wants them; each piece begins a line."""
    return LEADING_DOT.sub(b"..", coded)


def quoted(text: str) -> bytes:
    """Text as quoted-printable UTF-8 with CR LF line ends."""
    lines = text.replace("\r\n", "\n").encode("utf-8", "replace")
    return binascii.b2a_qp(lines, istext=True).replace(b"\n", b"\r\n")


def _soft(coded: bytes) -> bytes:
    """The same with a soft line break at its end, in lines of at most 76 characters."""
    if not coded or coded.endswith(b"\n"):
        return coded
    line = coded.rfind(b"\n") + 1
    if len(coded) - line > 75:
        cut = line + 70
        while cut > line and (coded[cut - 1 : cut] == b"=" or coded[cut - 2 : cut - 1] == b"="):
            cut -= 1
        coded = coded[:cut] + SOFT + coded[cut:]
    return coded + SOFT


def encoded_words(text: str, used: int = 0) -> str:
    """A header value: as it is when plain, else as RFC 2047 words folded over lines.

    `used` is how much of the first line the header's name takes.
    """
    if PLAIN.match(text) and "=?" not in text and len(text) + used < 900:
        return text
    words: list[str] = []
    chunk = b""
    for character in text:
        coded = character.encode("utf-8", "replace")
        if len(chunk) + len(coded) > WORD_BYTES:
            words.append(base64.b64encode(chunk).decode())
            chunk = b""
        chunk += coded
    words.append(base64.b64encode(chunk).decode())
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def _mailbox(name: str, address: str) -> str:
    """A sender as a header writes it."""
    if not name:
        return address
    if PLAIN.match(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{address}>'
    return f"{encoded_words(name)} <{address}>"


def wire_address(address: str) -> str:
    """An address as SMTP takes it, with an ASCII domain; raises `UnicodeError` if it has none."""
    local, _, domain = address.rpartition("@")
    return f"{local.encode('ascii').decode()}@{domain.encode('idna').decode()}"
