"""One person who attended: names, schoolings, contact points, interests and ways to help."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from crm.alumni.names import full_name
from crm.core.database import Choice, Model, UTCDateTime, guarded, identity

KEPT = text("merged_into_id IS NULL")
ZIP = func.left(func.text_folded(text("postal_code")), text("5"))
WORDS = [
    func.text_words(text(column))
    for column in ("city", "employer", "job_title", "field_of_work", "college")
]


class ContactKind(StrEnum):
    """What kind of address a contact point is."""

    EMAIL = "email"
    PHONE = "phone"
    POSTAL = "postal"


class ContactOwner(StrEnum):
    """Whose address it is: only the alumnus's own is ever written to."""

    OWN = "own"
    SCHOOL = "school"
    PARENT = "parent"


class ContactStatus(StrEnum):
    """What we know of an address working."""

    OK = "ok"
    UNCONFIRMED = "unconfirmed"
    BOUNCED = "bounced"
    RETIRED = "retired"


class SchoolingStatus(StrEnum):
    """How a schooling stands or ended; those who left keep their would-be class."""

    ENROLLED = "enrolled"
    GRADUATED = "graduated"
    LEFT = "left"


class InterestKind(StrEnum):
    """A way to help that somebody offers, or a subject they care about."""

    WAY = "way"
    SUBJECT = "subject"


class Alumnus(Model):
    """One person who attended; seniors are alumni-to-be.

    `name_key` is the search form of all their names (see `crm.alumni.names.name_key`), `sort_key`
    the list order. `graduated_on` anchors the phase. `link_epoch` revokes mailed links when raised.
    `made_by` and `made_line` name the import and its line that the record came from.
    """

    __tablename__ = "alumnus"
    __table_args__ = (
        # The first three leave merged records out, as every list does: a count of a class or
        # of whoever another table names then reads nothing but an index.
        Index("ix_alumnus_sort_key", "sort_key", "id", postgresql_where=KEPT),
        Index("ix_alumnus_class_year", "class_year", "sort_key", "id", postgresql_where=KEPT),
        Index("ix_alumnus_kept", "id", "sort_key", postgresql_where=KEPT),
        Index(
            "ix_alumnus_name_words",
            func.to_tsvector(text("'simple'::regconfig"), text("name_key")),
            postgresql_using="gin",
        ),
        Index("ix_alumnus_words", *WORDS, postgresql_using="gin"),
        Index("ix_alumnus_zip", ZIP.label("zip"), postgresql_ops={"zip": "text_pattern_ops"}),
        Index(None, "custom", postgresql_using="gin", postgresql_ops={"custom": "jsonb_path_ops"}),
    )

    id: Mapped[int] = identity()
    given_name: Mapped[str] = mapped_column(default="")
    middle_name: Mapped[str] = mapped_column(default="")
    family_name: Mapped[str] = mapped_column(default="")
    suffix: Mapped[str] = mapped_column(default="")
    preferred_name: Mapped[str] = mapped_column(default="")
    former_name: Mapped[str] = mapped_column(default="")
    name_key: Mapped[str] = mapped_column(default="")
    sort_key: Mapped[str] = mapped_column(default="")
    birth_date: Mapped[date | None]
    class_year: Mapped[int | None]
    graduated_on: Mapped[date | None]
    language: Mapped[str] = mapped_column(default="en")
    time_zone: Mapped[str | None]
    city: Mapped[str | None]
    state: Mapped[str | None]
    postal_code: Mapped[str | None]
    job_title: Mapped[str | None]
    employer: Mapped[str | None]
    field_of_work: Mapped[str | None]
    college: Mapped[str | None]
    ferpa_block: Mapped[bool] = mapped_column(default=False)
    deceased: Mapped[bool] = mapped_column(default=False)
    do_not_contact: Mapped[bool] = mapped_column(default=False)
    paused_until: Mapped[date | None]
    custom: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    link_epoch: Mapped[int] = mapped_column(default=0)
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("alumnus.id"))
    made_by: Mapped[str | None]
    made_line: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime())

    @property
    def full_name(self) -> str:
        """The name as people write it, the chosen name first."""
        return full_name(self)

    @property
    def greeting_name(self) -> str:
        """What a letter calls them."""
        return self.preferred_name or self.given_name or self.family_name


class ExternalId(Model):
    """The id another system knows a person by, as text with its leading zeros."""

    __tablename__ = "external_id"
    __table_args__ = (
        # In this order it also finds a value whose system nobody named.
        UniqueConstraint("value", "system"),
        Index(None, "alumnus_id"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(guarded("alumnus.id"))
    system: Mapped[str]
    value: Mapped[str]


class Schooling(Model):
    """One alumnus at one school: class year, when they left, with what credential."""

    __tablename__ = "schooling"
    __table_args__ = (
        UniqueConstraint("alumnus_id", "school_id"),
        Index(None, "school_id", "class_year", "alumnus_id"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(guarded("alumnus.id"))
    school_id: Mapped[int] = mapped_column(guarded("school.id"))
    class_year: Mapped[int | None]
    status: Mapped[SchoolingStatus] = mapped_column(Choice(SchoolingStatus))
    left_on: Mapped[date | None]
    credential: Mapped[str | None]


class ContactPoint(Model):
    """A mail, phone or postal address, whose it is and whether it works.

    `key` is the comparable form (mail lower-cased, phone in E.164); `preferred` marks the one to
    use.
    """

    __tablename__ = "contact_point"
    __table_args__ = (
        UniqueConstraint("alumnus_id", "kind", "key"),
        Index(None, "key"),
        Index(
            "uq_contact_point_preferred",
            "alumnus_id",
            "kind",
            unique=True,
            postgresql_where=text("preferred"),
        ),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(guarded("alumnus.id"))
    kind: Mapped[ContactKind] = mapped_column(Choice(ContactKind))
    value: Mapped[str]
    key: Mapped[str]
    owner: Mapped[ContactOwner] = mapped_column(Choice(ContactOwner))
    status: Mapped[ContactStatus] = mapped_column(Choice(ContactStatus), default=ContactStatus.OK)
    preferred: Mapped[bool] = mapped_column(default=False)
    source: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime())
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime())


class Interest(Model):
    """A way to help somebody offers or a subject they care about, and who said so."""

    __tablename__ = "interest"
    __table_args__ = (
        UniqueConstraint("alumnus_id", "kind", "key"),
        Index(None, "kind", "key", "alumnus_id"),
    )

    id: Mapped[int] = identity()
    alumnus_id: Mapped[int] = mapped_column(ForeignKey("alumnus.id"))
    kind: Mapped[InterestKind] = mapped_column(Choice(InterestKind))
    key: Mapped[str]
    source: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime] = mapped_column(UTCDateTime())


class Way(Model):
    """A kind of help that can be offered and asked for: mentor, speak, job_shadow, …

    Labels of the shipped ways are translated; an imported history may bring ways of its own, which
    stay `offered = false` until a coordinator offers them.
    """

    __tablename__ = "way"

    key: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    offered: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=100)


class Subject(Model):
    """A field of interest or work that a talk or a mentor may be about: health, law, …"""

    __tablename__ = "subject"

    key: Mapped[str] = mapped_column(primary_key=True)
    label: Mapped[str]
    position: Mapped[int] = mapped_column(default=100)


class AlumnusChange(Model):
    """An append-only note that something about a person changed, taken by whoever derives from it.

    Statement triggers write it (see migrations), so that no writer can forget; the taker deletes
    what it read. Never unique: a writer must not wait for another, nor lose its mark to a taker.
    """

    __tablename__ = "alumnus_change"

    alumnus_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    id: Mapped[int] = identity()
