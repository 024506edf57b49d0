"""What mailed links leave behind: codes that confirm a new address, and nothing else."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from crm.core.database import Model, UTCDateTime, identity


class AddressConfirmation(Model):
    """A code mailed to a new address; typing it back makes the address the alumnus's own."""

    __tablename__ = "address_confirmation"
    __table_args__ = (Index(None, "alumnus_id", "created_at"),)

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    value: Mapped[str]
    key: Mapped[str]
    code_hash: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime())
    attempts: Mapped[int] = mapped_column(default=0)
    confirmed_at: Mapped[datetime | None] = mapped_column(UTCDateTime())
