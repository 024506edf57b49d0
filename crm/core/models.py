"""Rows the program keeps about itself: heartbeats and throttles."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Model, UTCDateTime


class Heartbeat(Model):
    """The last time a clock or a worker said that it lives; `doctor` reads it."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime())
    detail: Mapped[str] = mapped_column(default="")


class Throttle(Model):
    """How often something that mails or guesses was tried in the running window."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(UTCDateTime())
    hits: Mapped[int]
