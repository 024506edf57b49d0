"""How often one person may be asked: what they said before, and the rest that everybody is left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus, Interest, InterestKind
from crm.core.errors import Invalid
from segments.asks.models import Ask, AskLimit, AskState
from segments.asks.rules import MOST_CHOICES, NEVER, AskCare


def said_before(way_key: str, at: datetime, care: AskCare) -> dict[str, ColumnElement[bool]]:
    """What earlier asks say: words to be respected, and the rest that everybody is left."""
    mine = Ask.alumnus_id == Alumnus.id
    reached = and_(mine, Ask.state != AskState.CANCELLED)
    same_way = Ask.way_key == way_key
    today = at.date()
    offered_since = exists().where(
        Interest.alumnus_id == Ask.alumnus_id, Interest.kind == InterestKind.WAY,
        Interest.key == way_key, Interest.since > Ask.answered_at,
    )  # fmt: skip
    year = select(func.count()).where(reached, Ask.asked_at > at - timedelta(days=365))
    return {
        "said_never": exists().where(mine, same_way, Ask.rest_until == NEVER, ~offered_since),
        "said_later": exists().where(
            mine, Ask.rest_until > today, Ask.rest_until < NEVER
        ),
        "being_asked": exists().where(mine, Ask.state == AskState.OPEN),
        "asked_lately": exists().where(reached, Ask.asked_at > at - timedelta(days=care.rest)),
        "said_no_lately": exists().where(
            mine, same_way, Ask.state == AskState.DECLINED,
            func.coalesce(Ask.answered_at, Ask.asked_at) > at - timedelta(days=care.rest_after_no),
        ),
        "asked_often": year.scalar_subquery() >= _most(care),
    }  # fmt: skip


def _most(care: AskCare) -> ColumnElement[Any]:
    """How often a person may be asked in a year: the district's cap, or fewer by their own word."""
    own = select(AskLimit.most).where(AskLimit.alumnus_id == Alumnus.id)
    return func.least(own.correlate(Alumnus).scalar_subquery(), care.most_a_year)


def limit_asks(session: Session, alumnus_id: int, word: str) -> None:
    """Note how often in a year a person wants to be asked at most; `usual` takes it back."""
    if word == "usual":
        limit = session.get(AskLimit, alumnus_id)
        if limit is not None:
            session.delete(limit)
    elif word in {str(most) for most in MOST_CHOICES}:
        statement = insert(AskLimit).values(alumnus_id=alumnus_id, most=int(word))
        session.execute(
            statement.on_conflict_do_update(
                index_elements=[AskLimit.alumnus_id], set_={"most": int(word)}
            )
        )
    else:
        raise Invalid("Choose one of the answers.", field="answer")
    session.flush()
