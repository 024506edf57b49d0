"""What a district chooses for itself: small groups of values, kept as rows and checked as types.

A group is a frozen model with a key and a default for each value, so that a fresh installation has
the safe answer to everything and a group may grow without a migration.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from crm.core.database import Model, UTCDateTime


class DistrictSetting(Model):
    """One group of values that a district chose, by its key."""

    __tablename__ = "district_setting"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSONB)
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime())


class Choices(BaseModel):
    """A group of values; a subclass names its `key` and gives every value a default."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    key: ClassVar[str]


C = TypeVar("C", bound=Choices)
_CHOSEN = select(DistrictSetting.value).where(DistrictSetting.key == bindparam("group"))


def chosen(session: Session, kind: type[C]) -> C:
    """What the district chose of this group; its defaults where it chose nothing."""
    return kind.model_validate(session.scalar(_CHOSEN, {"group": kind.key}) or {})


class Chosen:
    """What the district chose of several groups, read at once."""

    def __init__(self, session: Session, *kinds: type[Choices]) -> None:
        keys = [kind.key for kind in kinds]
        group = select(DistrictSetting.key, DistrictSetting.value)
        self._values: dict[str, Any] = dict(
            session.execute(group.where(DistrictSetting.key.in_(keys))).all()
        )

    def of(self, kind: type[C]) -> C:
        """One of the groups asked for; its defaults where nothing was chosen."""
        return kind.model_validate(self._values.get(kind.key) or {})


def choose(session: Session, choices: Choices, *, at: datetime) -> dict[str, Any]:
    """Keep a group; answers what changed, as name → [before, after]. The caller commits."""
    before = chosen(session, type(choices)).model_dump(mode="json")
    after = choices.model_dump(mode="json")
    statement = insert(DistrictSetting).values(key=choices.key, value=after, changed_at=at)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[DistrictSetting.key],
            set_={"value": statement.excluded.value, "changed_at": at},
        )
    )
    return {name: [before[name], after[name]] for name in after if before[name] != after[name]}
