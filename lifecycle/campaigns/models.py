"""One mailing to one audience, from draft to report."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Choice, Model, UTCDateTime, identity


class CampaignState(StrEnum):
    """The life of a campaign; `sending` lasts until no message of it waits."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    SENT = "sent"
    STOPPED = "stopped"


class Campaign(Model):
    """One mailing: audience query, content, topic, when. Messages carry `campaign:KEY`.

    `audience` is how many people the query found when it went out; each has exactly one message
    row: sent, waiting or skipped with its reason (law 4).
    """

    __tablename__ = "campaign"
    __table_args__ = (UniqueConstraint("key"), Index(None, "state", "send_at"))

    id: Mapped[int] = identity()
    key: Mapped[str]
    name: Mapped[str]
    goal: Mapped[str] = mapped_column(default="")
    query: Mapped[str]
    topic_key: Mapped[str] = mapped_column(ForeignKey("topic.key"))
    content_id: Mapped[int] = mapped_column(ForeignKey("content.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("content_version.id"))
    state: Mapped[CampaignState] = mapped_column(Choice(CampaignState))
    send_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
    audience: Mapped[int | None]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
