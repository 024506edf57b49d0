"""The verbs of consent: each adds an entry to the ledger, none takes one away.

Only a person themselves (by link or one click), or staff on their word, may loosen; a file or the
mail provider may only tighten (law 3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.consent.models import (
    ConsentEntry,
    ConsentSource,
    ConsentState,
    Suppression,
    SuppressionReason,
    Topic,
)
from crm.consent.queries import HASHED, address_key, hashed, latest_state
from crm.core.database import among
from crm.core.errors import Invalid, NotAllowed, NotFound
from crm.core.viewer import Viewer

MAY_GRANT = frozenset({ConsentSource.LINK, ConsentSource.ONE_CLICK, ConsentSource.STAFF})
MAX_WORDING = 2_000
# A complaint says more than a bounce, and that more than a wish read from a file.
WEIGHT = {
    SuppressionReason.IMPORTED: 1, SuppressionReason.STAFF: 2, SuppressionReason.UNSUBSCRIBED: 3,
    SuppressionReason.BOUNCED: 4, SuppressionReason.COMPLAINED: 5,
}  # fmt: skip


def withdraw(
    session: Session,
    alumnus_id: int,
    *,
    topic_key: str | None,
    source: ConsentSource,
    at: datetime,
    reference: str = "",
    wording: str = "",
) -> bool:
    """Stop a topic, or all of them when `topic_key` is None; False if that was so already."""
    return bool(
        withdraw_many(
            session, [alumnus_id], topic_key=topic_key, source=source, at=at,
            reference=reference, wording=wording,
        )
    )  # fmt: skip


def withdraw_many(
    session: Session,
    alumnus_ids: Sequence[int] | Select[Any],
    *,
    topic_key: str | None,
    source: ConsentSource,
    at: datetime,
    reference: str = "",
    wording: str | ColumnElement[str] = "",
) -> int:
    """Stop a topic (or all) for many people in one statement; answers how many entries were new.

    `wording` may differ by person: an expression correlated on `Alumnus.id`.
    """
    entry = {"topic_key": topic_key, "source": source, "at": at, "reference": reference}
    return _add(session, alumnus_ids, ConsentState.WITHDRAWN, entry, wording)


def grant(
    session: Session,
    alumnus_id: int,
    *,
    topic_key: str | None,
    source: ConsentSource,
    at: datetime,
    reference: str = "",
    wording: str = "",
) -> bool:
    """Allow a topic, or with None all that need no agreement of their own; False if so already.

    Raises `NotAllowed` for a source that may only tighten, and `Invalid` for staff who do not say
    in what words the person agreed.
    """
    if ConsentSource(source) not in MAY_GRANT:
        raise NotAllowed("A file or a mail provider may stop mail, but never start it.")
    if source is ConsentSource.STAFF and not wording.strip():
        raise Invalid("Write down what the person said, and how.", field="wording")
    entry = {"topic_key": topic_key, "source": source, "at": at, "reference": reference}
    return bool(_add(session, [alumnus_id], ConsentState.GRANTED, entry, wording))


def record_word(
    session: Session,
    alumnus_id: int,
    *,
    topic_key: str | None,
    state: ConsentState,
    wording: str,
    by: Viewer,
    at: datetime,
) -> bool:
    """Record what a person told a member of staff; False if that says nothing new."""
    verb = grant if state is ConsentState.GRANTED else withdraw
    news = verb(
        session, alumnus_id, topic_key=topic_key, source=ConsentSource.STAFF, at=at,
        reference=f"user:{by.user_id}" if by.user_id else "", wording=wording,
    )  # fmt: skip
    if news:
        audit.record(
            session, f"consent.{state.value}", kind="alumnus", key=alumnus_id, by=by, at=at,
            topic=topic_key or "everything",
        )  # fmt: skip
    return news


def _add(
    session: Session,
    alumnus_ids: Sequence[int] | Select[Any],
    state: ConsentState,
    entry: dict[str, Any],
    wording: str | ColumnElement[str],
) -> int:
    """Add one entry for each person whose latest word is another; answers how many."""
    plain = wording if isinstance(wording, str) else ""
    if len(plain) > MAX_WORDING or "\x00" in plain + entry["reference"]:
        raise Invalid("Use at most %(most)s characters.", field="wording", most=MAX_WORDING)
    topic_key = entry["topic_key"]
    topic = session.get(Topic, topic_key) if topic_key is not None else None
    if topic_key is not None and topic is None:
        raise Invalid(
            "There is no topic called “%(topic_key)s”.", field="topic_key", topic_key=topic_key
        )
    if topic is not None and topic.retired_at and state is ConsentState.GRANTED:
        raise Invalid("Nothing is sent about this topic any more.", field="topic_key")
    session.flush()
    values = {**entry, "state": state, "wording": plain.strip()}
    columns: dict[str, ColumnElement[Any]] = {
        name: literal(value, getattr(ConsentEntry, name).type) for name, value in values.items()
    }
    if not isinstance(wording, str):
        columns["wording"] = wording
    people = select(Alumnus.id, *columns.values()).where(
        Alumnus.id.in_(alumnus_ids), ~holds(topic_key, state)
    )
    statement = insert(ConsentEntry).from_select(
        ["alumnus_id", *columns], people.order_by(Alumnus.id)
    )
    return len(session.execute(statement.returning(ConsentEntry.id)).all())


def holds(topic_key: str | None, state: ConsentState) -> ColumnElement[bool]:
    """A condition correlated on `Alumnus.id`: an entry of this state would say nothing new."""
    if topic_key is not None:
        key = literal(topic_key)
        return latest_state(key, Alumnus.id).is_not_distinct_from(literal(state.value))
    # About everything: such an entry stands, and nothing later said otherwise of any topic.
    stands, later = aliased(ConsentEntry), aliased(ConsentEntry)
    return exists().where(
        stands.alumnus_id == Alumnus.id,
        stands.topic_key.is_(None),
        stands.state == state,
        ~exists().where(
            later.alumnus_id == Alumnus.id,
            later.id > stands.id,
            later.state.not_in([state, ConsentState.PAUSED]),
        ),
    )


def suppress(
    session: Session,
    addresses: Iterable[str],
    *,
    reason: SuppressionReason,
    source: str,
    at: datetime,
    sources: Mapping[str, str] | None = None,
) -> int:
    """Never mail these addresses again; answers how many that is news for.

    `sources` says of single addresses, by their comparable form, more exactly where it comes from.
    One that is suppressed already keeps its reason unless the new one weighs more. What was known
    before the person themselves lifted a suppression does not bring it back.
    """
    keys = sorted({address_key(a) for a in addresses if a.strip() and "\x00" not in a})
    if not keys:
        return 0
    keys = _as_kept(session, keys)
    weight = case(*((Suppression.reason == r, w) for r, w in WEIGHT.items()), else_=0)
    told = sources or {}
    rows = [
        {"address_key": key, "reason": reason, "source": told.get(key, source), "at": at}
        for key in keys
    ]
    statement = insert(Suppression).values(rows)
    statement = statement.on_conflict_do_update(
        index_elements=[Suppression.address_key],
        set_={
            "reason": reason,
            "source": statement.excluded.source,
            "at": at,
            "lifted_at": None,
        },
        where=case(
            (Suppression.lifted_at.is_not(None), Suppression.lifted_at < at),
            else_=weight < WEIGHT[reason],
        ),
    )
    return len(session.execute(statement.returning(Suppression.address_key)).all())


def _as_kept(session: Session, keys: list[str]) -> list[str]:
    """The addresses, as their hash where somebody who was erased had them: never in clear again."""
    hashes = {HASHED + hashlib.sha256(key.encode()).hexdigest(): key for key in keys}
    known = session.scalars(
        select(Suppression.address_key).where(among(Suppression.address_key, hashes))
    )
    erased = {hashes[found]: found for found in known}
    return sorted({erased.get(key, key) for key in keys})


def lift(session: Session, address: str, *, at: datetime) -> bool:
    """Mail an address again. Only for the person themselves, who just asked for it from there."""
    key = address_key(address)
    statement = update(Suppression).where(
        Suppression.address_key.in_([key, hashed(literal(key))]), Suppression.lifted_at.is_(None)
    )
    lifted = session.execute(statement.values(lifted_at=at).returning(Suppression.address_key))
    return bool(lifted.all())


def pause(
    session: Session, alumnus_id: int, *, until: date | None, source: ConsentSource, at: datetime
) -> bool:
    """Send nothing up to and with a day, or end the pause with None; False if so already.

    A source that may only tighten can make a pause longer, never shorter.
    """
    current = Alumnus.paused_until
    if source in MAY_GRANT:
        changes: ColumnElement[bool] = current.is_distinct_from(until)
    elif until is None:
        raise NotAllowed("A file or a mail provider may not end a pause.")
    else:
        changes = or_(current.is_(None), current < until)
    statement = update(Alumnus).where(and_(Alumnus.id == alumnus_id, changes))
    done = session.execute(
        statement.values(paused_until=until, updated_at=at).returning(Alumnus.id)
    )
    if done.first() is not None:
        return True
    if session.get(Alumnus, alumnus_id) is None:
        raise NotFound("There is no such person.")
    return False
