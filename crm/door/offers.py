"""What schools ask for now, as anybody may read it: no names, no words of anybody, months only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, InterestKind
from crm.alumni.service import set_interests
from crm.core.database import db
from crm.core.extend import PublicWish, extensions
from crm.interactions.models import Mode
from crm.interactions.service import record
from crm.links.tokens import Claim
from crm.portal.queries import interests

SHOWN_ON_OWN_PAGE = 4


def wishes(session: Session, at: datetime) -> Sequence[PublicWish]:
    """Everything that is asked for."""
    return [wish for told in extensions().public_wishes for wish in told(session, at)]


def own_page(alumnus: Alumnus, at: datetime) -> Mapping[str, Any] | None:
    """What a person's own page offers them: ways that schools need and they did not offer yet."""
    session = db.session()
    mine = interests(session, alumnus.id, [InterestKind.WAY])[InterestKind.WAY]
    new = [wish for wish in wishes(session, at) if wish.way not in mine]
    by_way = {wish.way: wish for wish in reversed(new)}
    shown = [wish for wish in new if by_way[wish.way] is wish][:SHOWN_ON_OWN_PAGE]
    return {"wishes": shown} if shown else None


def offer(session: Session, alumnus: Alumnus, way: str, *, claim: Claim, at: datetime) -> bool:
    """Add a way to help to what a person offers; False if they offered it already."""
    mine = interests(session, alumnus.id, [InterestKind.WAY])[InterestKind.WAY]
    new = set_interests(
        session, alumnus.id, kind=InterestKind.WAY, keys=mine | {way}, source="link", at=at
    )
    if new:
        record(
            session, alumnus.id, occurred_at=at, kind="profile_updated", mode=Mode.COMMUNICATION,
            dedupe_key=f"profile_updated:{alumnus.id}:{at:%Y-%m-%d}", origin=claim.reference,
        )  # fmt: skip
    return new
