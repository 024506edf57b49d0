"""The way out: what is handed to a mail provider, and what it may answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from crm.core.errors import HomecomingError
from crm.mail.letter import Letter
from crm.mail.outbox import Attachment

ONE_CLICK = "List-Unsubscribe=One-Click"


class Guarantee(StrEnum):
    """What makes a second hand-over harmless: a key, a batch that can be cancelled, or nothing."""

    KEY = "key"
    FENCE = "fence"
    NONE = "none"


class TransportDown(HomecomingError):
    """The provider cannot be reached; nothing was handed over."""


@dataclass(frozen=True)
class Parcel:
    """One message of a batch: its address and what is its own."""

    message_id: UUID
    attempt: int
    origin: str
    address: str
    substitutions: Mapping[str, str]
    unsubscribe: str = ""
    attachments: Sequence[Attachment] = ()

    def mail_id(self, domain: str) -> str:
        """The Message-ID it goes under, by which a reply finds its way back."""
        return f"<{self.message_id}.{self.attempt}@{domain}>"

    @property
    def headers(self) -> dict[str, str]:
        """The headers that mail programs show a way out by (RFC 8058)."""
        if not self.unsubscribe:
            return {}
        return {
            "List-Unsubscribe": f"<{self.unsubscribe}>", "List-Unsubscribe-Post": ONE_CLICK,
        }  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Messages of one letter handed over together. `send_at` asks the provider to hold them."""

    id: str
    letter: Letter
    sender: tuple[str, str]
    parcels: Sequence[Parcel]
    at: datetime
    send_at: datetime | None = None


@dataclass
class Outcome:
    """How a hand-over went, message by message; those named nowhere are uncertain.

    `later` may be tried again after `wait` seconds, since they certainly did not go. `parts` are to
    be handed over once more as batches of their own, since nothing of the batch went.
    """

    accepted: set[UUID] = field(default_factory=set)
    refused: dict[UUID, str] = field(default_factory=dict)
    later: set[UUID] = field(default_factory=set)
    wait: int = 300
    parts: list[list[UUID]] = field(default_factory=list)
    stop: bool = False

    def uncertain(self, ids: Iterable[UUID]) -> set[UUID]:
        """Those whose fate this outcome does not tell."""
        told = self.accepted | self.refused.keys() | self.later
        return set(ids) - told - {i for part in self.parts for i in part}


class Transport(Protocol):
    """A way to hand mail over. `size` is the most messages it takes at once.

    `files_apart` says that files go with a whole hand-over, so that each mail with files needs one
    of its own.
    """

    name: str
    guarantee: Guarantee
    size: int
    files_apart: bool

    def new_batch(self) -> str:
        """A name for a batch that is to be held back; raises `TransportDown`."""

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        """Hand a batch over. Never raises for what the other side does."""

    def cancel(self, batch_id: str) -> bool:
        """Make the provider discard a batch it holds, however often asked; True once it will."""

    def release(self, batch_id: str) -> bool:
        """Make the provider forget a cancelled batch whose moment has passed; True once it has."""

    def close(self) -> None:
        """Let go of connections."""
