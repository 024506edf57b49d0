"""What people said we may send, kept apart from their profile and only ever added to."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class ConsentState(StrEnum):
    """What an entry says of a topic from then on."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    PAUSED = "paused"


class ConsentBasis(StrEnum):
    """Whether a topic may be sent until somebody objects, or only once somebody agreed."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class ConsentSource(StrEnum):
    """Who recorded an entry. Only a person themselves, or staff on their word, may loosen."""

    LINK = "link"
    ONE_CLICK = "one_click"
    STAFF = "staff"
    IMPORT = "import"
    PROVIDER = "provider"
    MERGE = "merge"


class SuppressionReason(StrEnum):
    """Why an address is never mailed."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    IMPORTED = "imported"
    STAFF = "staff"


class Topic(Model):
    """What one may opt into or leave: news, events, volunteering, reunions.

    `names` holds the label and description by language where the district wrote its own; those that
    come with the program are translated. Nothing is sent about a topic that was retired.
    """

    __tablename__ = "topic"

    key: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    basis: Mapped[ConsentBasis] = mapped_column(Choice(ConsentBasis))
    position: Mapped[int] = mapped_column(default=100)
    names: Mapped[dict[str, dict[str, str]]] = mapped_column(JSONB, default=dict)
    retired_at: Mapped[datetime | None] = mapped_column(UTCDateTime())


class ConsentEntry(Model):
    """One recorded choice: a topic (all, when null) granted or withdrawn, by whom, in what words.

    Append-only: a trigger refuses update and delete. The latest entry that covers a topic decides.
    An entry that pauses a topic stands beside that choice and leaves it as it is: nothing is sent
    about the topic up to and with `until` (null: the break is over), then the choice holds again.
    """

    __tablename__ = "consent_entry"
    __table_args__ = (
        CheckConstraint("until is null or state = 'paused'", name="until"),
        CheckConstraint("topic_key is not null or state <> 'paused'", name="paused_topic"),
        Index(None, "alumnus_id", "topic_key", "id"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    topic_key: Mapped[str | None] = mapped_column(ForeignKey("topic.key"))
    state: Mapped[ConsentState] = mapped_column(Choice(ConsentState))
    source: Mapped[ConsentSource] = mapped_column(Choice(ConsentSource))
    reference: Mapped[str] = mapped_column(default="")
    wording: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    until: Mapped[date | None]


class Suppression(Model):
    """An address that is never mailed, whoever it belongs to and whatever a file says.

    Rows are never deleted; `lifted_at` is set only when the person themselves asks for mail again.
    """

    __tablename__ = "suppression"

    address_key: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[SuppressionReason] = mapped_column(Choice(SuppressionReason))
    source: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    lifted_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
