"""A mail that came in, as the provider's Inbound Parse posts it; no database here.

Only what decides is kept: who wrote, which of our mails it answers, whether a person wrote it at
all, and whether its one word asks us to stop. Its text goes no further.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_string
from email.errors import HeaderParseError
from email.message import Message as Mail
from email.policy import compat32
from email.utils import parseaddr
from html import unescape
from uuid import UUID

from crm.consent.queries import address_key
from crm.core.errors import Invalid

# As `Parcel.mail_id` writes it.
OURS = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.\d{1,9}@", re.ASCII | re.I)
MAIL_ID = re.compile(r"<[^<>\s]{1,900}>")
STOP_WORDS = frozenset(
    {"stop", "stop all", "unsubscribe", "unsubscribe me", "remove me", "alto", "baja", "basta",
     "cancelar", "darme de baja", "parar"}
)  # fmt: skip
# Above what a mail program quotes, and above the line that a telephone adds.
QUOTED = re.compile(
    r"(?m)^\s*(?:>|-- ?$|-{2,}.{0,40}-{2,}\s*$|_{10,}|On\b.{0,300}\bwrote:|El\b.{0,300}\bescribió:"
    r"|(?:From|De):\s|(?:Sent|Get|Enviado)\b.{0,12}\b(?:from|Outlook|desde)\b).*",
    re.IGNORECASE,
)
HTML_QUOTE = re.compile(r"(?is)<blockquote\b.*|<div[^>]{0,200}\bgmail_quote\b.*")
HTML_BREAK = re.compile(r"(?i)<br\b[^>]{0,200}>|</(?:p|div|tr|li|h[1-6])>")
HTML_REST = re.compile(r"(?is)<(?:style|script|head)\b.*?</(?:style|script|head)>|<[^>]{0,2000}>")
REPLY_MARK = re.compile(r"(?i)^\s*(?:(?:re|fwd?|rv|aw)\s*:\s*)+")
# What programs call themselves, for servers that do not say so in a header.
MACHINE_SUBJECT = re.compile(
    r"(?i)^\s*(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office"
    r"|respuesta autom[aá]tica|fuera de (?:la )?oficina|undeliverable|delivery status notification"
    r"|mail delivery (?:failed|subsystem)|returned mail)\b"
)
MACHINE_NAMES = frozenset(
    {"mailer-daemon", "postmaster", "no-reply", "noreply", "do-not-reply", "donotreply", "bounce",
     "bounces", "auto-reply", "autoreply"}
)  # fmt: skip
BULK = frozenset({"bulk", "junk", "list", "auto_reply"})
MACHINE_HEADERS = (
    "X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply-From",
    "X-Auto-Response-Suppress", "X-Failed-Recipients", "Feedback-ID", "List-Id", "List-Unsubscribe",
)  # fmt: skip
LONGEST = 20_000


@dataclass(frozen=True)
class Incoming:
    """One mail that came in. `answers` are ids of our messages, the one answered first.

    `mail_ids` are all that it refers to, as written; `once` is the same however often it is posted.
    """

    sender: str
    answers: tuple[UUID, ...]
    mail_ids: tuple[str, ...]
    automatic: bool
    forged: bool
    stop: str
    once: str


def read(fields: Mapping[str, str]) -> Incoming:
    """What the posted fields say; raises `Invalid` if they are no mail.

    The mail comes taken apart (`headers`, `text`, `html`) or whole (`email`, "send raw").
    """
    told = {key: _clean(value) for key, value in fields.items()}
    whole = told.get("email", "")
    if not whole.strip() and not told.get("headers", "").strip():
        raise Invalid("The post holds no mail: it has neither headers nor email.")
    mail = message_from_string(whole or told["headers"], policy=compat32)
    sender = address_key(parseaddr(_header(mail, "From") or told.get("from", ""))[1])[:320]
    if len(sender) < 3 or "@" not in sender:
        raise Invalid("The mail has no sender.")
    refers = _refers(mail)
    return Incoming(
        sender=sender, answers=_ours(refers), mail_ids=tuple(MAIL_ID.findall(refers))[:50],
        automatic=_automatic(mail, sender, _envelope_sender(told.get("envelope", ""))),
        forged=_forged(told.get("SPF", ""), told.get("dkim", "")),
        stop=_stop_word(told, mail, whole=bool(whole)), once=_once(mail, sender, told),
    )  # fmt: skip


def _clean(value: str) -> str:
    return value.replace("\x00", "").encode("utf-8", "replace").decode()


def _header(mail: Mail, name: str) -> str:
    """A header on one line; a broken one counts as empty."""
    try:
        return " ".join(_clean(str(mail.get(name) or "")).split())[:LONGEST]
    except (HeaderParseError, ValueError, LookupError):
        return ""


def _refers(mail: Mail) -> str:
    """The mail answered, and those before it, the newest first."""
    before = MAIL_ID.findall(_header(mail, "References"))
    return " ".join([_header(mail, "In-Reply-To"), *reversed(before)])


def _ours(refers: str) -> tuple[UUID, ...]:
    found = dict.fromkeys(UUID(text) for text in OURS.findall(refers))
    return tuple(found)[:20]


def _envelope_sender(envelope: str) -> str | None:
    """Who the mail server named as sender: empty for a bounce, None if nothing was told."""
    if not envelope.strip():
        return None
    try:
        told = json.loads(envelope)
    except (ValueError, RecursionError) as error:
        raise Invalid("The envelope is not JSON that we can read.") from error
    if not isinstance(told, dict):
        raise Invalid("The envelope is not an object.")
    sender = told.get("from")
    return sender.strip() if isinstance(sender, str) else None


def _automatic(mail: Mail, sender: str, envelope_sender: str | None) -> bool:
    """Whether a program wrote it (RFC 3834, and what programs did before it)."""
    said = _header(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        said not in {"", "no"}
        or _header(mail, "Precedence").lower() in BULK
        or any(mail.get(name) is not None for name in MACHINE_HEADERS)
        or _header(mail, "Content-Type").lower().startswith("multipart/report")
        or envelope_sender in {"", "<>"}
        or _header(mail, "Return-Path") == "<>"
        or sender.partition("@")[0] in MACHINE_NAMES
        or MACHINE_SUBJECT.match(_header(mail, "Subject")) is not None
    )


def _forged(spf: str, dkim: str) -> bool:
    """Whether the sender's domain disowns the mail and nothing else vouches for it."""
    return spf.strip().lower() in {"fail", "softfail"} and "pass" not in dkim.lower()


def _stop_word(told: Mapping[str, str], mail: Mail, *, whole: bool) -> str:
    """The one word (or two) that asks us to stop, or nothing."""
    text = _part(mail, "text/plain") if whole else told.get("text", "")
    markup = _part(mail, "text/html") if whole else told.get("html", "")
    said = _said(text) if text.strip() else _said(_plain(markup))
    subject = REPLY_MARK.sub("", told.get("subject") or _header(mail, "Subject"))
    for words in (said, subject if not said else ""):
        plain = " ".join(re.sub(r"[^\w\s]", " ", words[:200]).casefold().split())
        if plain in STOP_WORDS:
            return plain
    return ""


def _said(text: str) -> str:
    """What the sender wrote above what their program quotes."""
    return QUOTED.split(text[:LONGEST], maxsplit=1)[0].strip()


def _plain(markup: str) -> str:
    own = HTML_QUOTE.sub("", markup[:LONGEST])
    return unescape(HTML_REST.sub("", HTML_BREAK.sub("\n", own)))


def _part(mail: Mail, kind: str) -> str:
    """The first part of a kind, decoded as far as it can be."""
    for part in mail.walk():
        if part.get_content_type() == kind:
            body = part.get_payload(decode=True)
            return _clean(body.decode("utf-8", "replace")) if isinstance(body, bytes) else ""
    return ""


def _once(mail: Mail, sender: str, told: Mapping[str, str]) -> str:
    """What tells this mail from all others: its own id, or all there is of it."""
    identity = _header(mail, "Message-ID")
    parts = [identity] if identity else [sender, _header(mail, "Date"), repr(sorted(told.items()))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
