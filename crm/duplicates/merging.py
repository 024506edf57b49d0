"""Makes one record part of another and takes that back exactly.

Every row of any package that names the person follows, except one that the other already has (the
same address, the same school): that stays behind with the record it belongs to. What is computed
from people's facts stays behind too, and is computed anew.
"""

# Table and column names come from our own models, never from a user.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.alumni.names import name_key, sort_key
from crm.consent.models import ConsentSource
from crm.core.errors import Conflict, Invalid
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.duplicates import followers
from crm.duplicates.models import DuplicatePair, Merge, PairState

FILLED = (
    "given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name",
    "birth_date", "class_year", "graduated_on", "time_zone", "city", "state", "postal_code",
    "job_title", "employer", "field_of_work", "college",
)  # fmt: skip
MOST = 500
FLAGS = ("ferpa_block", "deceased", "do_not_contact")
TAKEN = frozenset({*FILLED, "language"})
"""What a reviewer may take over from the record that goes."""


def merge(
    session: Session,
    kept_id: int,
    gone_id: int,
    *,
    at: datetime,
    by: Viewer | None,
    take: Collection[str] = (),
) -> Merge:
    """Make `gone_id` part of `kept_id`; raises `Invalid` or `Conflict` where that makes no sense.

    Blank fields are filled, flags and withdrawals of either hold for both (law 3). `take` names
    the fields whose value is the other record's all the same, where it has one.
    """
    if kept_id == gone_id:
        raise Invalid("These are one record already.", field="b")
    kept, gone = (session.get_one(Alumnus, i, with_for_update=True) for i in (kept_id, gone_id))
    if kept.merged_into_id or gone.merged_into_id:
        raise Conflict("One of these records is part of another already.")
    done = Merge(
        kept_id=kept_id, gone_id=gone_id, at=at, by=by.user_id if by else None, undone_at=None,
        fields=_fill(kept, gone, at, take), moved={},
    )  # fmt: skip
    session.add(done)
    gone.merged_into_id, gone.updated_at = kept_id, at
    session.flush()
    done.moved = followers.move_all(session, kept_id, gone_id)
    _tighten(session, done)
    _pause(session, done)
    _decide(session, kept_id, gone_id, PairState.MERGED, at, by)
    audit.record(
        session, "alumnus.merged", kind="alumnus", key=kept_id, by=by, at=at, merged=gone_id
    )
    session.flush()
    session.expire_all()
    return done


def edited_since(session: Session, done: Merge) -> list[str]:
    """The fields that the merge filled and somebody changed since: taking it back leaves them."""
    kept = session.get_one(Alumnus, done.kept_id)
    return [
        name for name, (_, after) in done.fields.items() if _plain(getattr(kept, name)) != after
    ]


def warnings(session: Session, viewer: Viewer, done: Merge) -> list[str]:
    """What whoever took a merge back must know besides, in the words of the packages above."""
    ids = done.kept_id, done.gone_id
    return [said for tell in extensions().unmerged for said in tell(session, viewer, *ids)]


def unmerge(session: Session, merge_id: int, *, at: datetime, by: Viewer | None) -> Merge:
    """Take a merge back: every row that followed returns, every filled field that still is so."""
    done = session.get(Merge, merge_id, with_for_update=True)
    if done is None or done.undone_at is not None:
        raise Conflict("There is no such merge, or it was taken back before.")
    kept, gone = (session.get(Alumnus, i) for i in (done.kept_id, done.gone_id))
    if kept is None or gone is None:
        raise Conflict("One of the two records is no longer there.")
    if kept.merged_into_id is not None:
        raise Conflict("The record that stayed became part of another since: take that back first.")
    followers.move_back(session, done.kept_id, done.gone_id, done.moved)
    _loosen(session, done)
    stays = edited_since(session, done)
    for name, (before, _) in done.fields.items():
        if name not in stays:
            setattr(kept, name, _value(name, before))
    kept.name_key, kept.sort_key = name_key(kept), sort_key(kept)
    gone.merged_into_id = None
    gone.updated_at = kept.updated_at = done.undone_at = at
    _decide(session, done.kept_id, done.gone_id, PairState.DIFFERENT, at, by)
    audit.record(
        session, "alumnus.unmerged", kind="alumnus", key=done.kept_id, by=by, at=at,
        merged=done.gone_id, stays=stays,
    )  # fmt: skip
    session.flush()
    session.expire_all()
    return done


def _fill(kept: Alumnus, gone: Alumnus, at: datetime, take: Collection[str]) -> dict[str, Any]:
    """Fill what the record that stays lacks; answers each changed field before and after."""
    if wrong := sorted(set(take) - TAKEN):
        raise Invalid("%(wrong)s is no field that can be chosen.", field=wrong[0], wrong=wrong[0])
    wanted = {n: getattr(gone, n) for n in FILLED if not getattr(kept, n) and getattr(gone, n)}
    for name in take:
        theirs = getattr(gone, name)
        if theirs and theirs != getattr(kept, name):
            wanted[name] = theirs
    wanted |= {n: True for n in FLAGS if getattr(gone, n) and not getattr(kept, n)}
    if gone.paused_until and (kept.paused_until is None or kept.paused_until < gone.paused_until):
        wanted["paused_until"] = gone.paused_until
    custom = {**gone.custom, **kept.custom}
    if custom != kept.custom:
        wanted["custom"] = custom
    changed = {name: [_plain(getattr(kept, name)), _plain(v)] for name, v in wanted.items()}
    for name, value in wanted.items():
        setattr(kept, name, value)
    kept.name_key, kept.sort_key, kept.updated_at = name_key(kept), sort_key(kept), at
    return changed


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _value(name: str, kept: Any) -> Any:
    dates = {"birth_date", "graduated_on", "paused_until"}
    return date.fromisoformat(kept) if name in dates and kept else kept


def _tighten(session: Session, done: Merge) -> None:
    """What either withdrew is withdrawn for the record that stays, by entries of its own."""
    latest = """select distinct on (topic_key) topic_key, state from consent_entry
        where alumnus_id = {} and state <> 'paused' order by topic_key, id desc"""
    session.execute(
        text(
            f"""insert into consent_entry
                (alumnus_id, topic_key, state, source, reference, wording, at)
            select :kept, g.topic_key, 'withdrawn', :source, :reference, '', :at
            from ({latest.format(":gone")}) g
            left join ({latest.format(":kept")}) k on k.topic_key is not distinct from g.topic_key
            where g.state = 'withdrawn' and k.state is distinct from 'withdrawn'"""
        ),
        {
            "kept": done.kept_id, "gone": done.gone_id, "at": done.at,
            "source": ConsentSource.MERGE.value, "reference": f"merge:{done.id}",
        },
    )  # fmt: skip


PAUSES = """select distinct on (topic_key) topic_key,
        case state when 'paused' then until end as until
    from consent_entry
    where alumnus_id = {} and state in ('paused', 'granted') and topic_key is not null
    order by topic_key, id desc"""
"""The last day of the latest break of a person from each topic, null where it is over."""


def _pause(session: Session, done: Merge) -> None:
    """Of two breaks from one topic the longer one holds for the record that stays."""
    session.execute(
        text(
            f"""insert into consent_entry
                (alumnus_id, topic_key, state, source, reference, wording, at, until)
            select :kept, g.topic_key, 'paused', :source, :reference, '', :at, g.until
            from ({PAUSES.format(":gone")}) g
            left join ({PAUSES.format(":kept")}) k using (topic_key)
            where g.until is not null and (k.until is null or k.until < g.until)"""
        ),
        {
            "kept": done.kept_id, "gone": done.gone_id, "at": done.at,
            "source": ConsentSource.MERGE.value, "reference": f"merge:{done.id}",
        },
    )  # fmt: skip


def _loosen(session: Session, done: Merge) -> None:
    """Take out what `_tighten` and `_pause` put in: with the merge undone it is nobody's word.

    What was withdrawn or paused while both were one holds for both, as nobody can tell whose word
    it was.
    """
    session.execute(
        text(
            """insert into consent_entry
                (alumnus_id, topic_key, state, source, reference, wording, at, until)
            select :gone, e.topic_key, e.state, e.source, e.reference, e.wording, e.at, e.until
            from (
                select distinct on (topic_key, state = 'paused') * from consent_entry
                where alumnus_id = :kept and at > :since
                order by topic_key, state = 'paused', id desc
            ) e where (e.state = 'withdrawn' or e.until is not null) and e.reference <> :reference
            order by e.id"""
        ),
        {
            "kept": done.kept_id,
            "gone": done.gone_id,
            "since": done.at,
            "reference": f"merge:{done.id}",
        },
    )
    session.execute(text("set local homecoming.erasing = 'yes'"))
    session.execute(
        text("delete from consent_entry where alumnus_id = :kept and reference = :reference"),
        {"kept": done.kept_id, "reference": f"merge:{done.id}"},
    )
    session.execute(text("set local homecoming.erasing = 'no'"))


def _decide(
    session: Session, a: int, b: int, state: PairState, at: datetime, by: Viewer | None
) -> None:
    pair = session.get(DuplicatePair, (min(a, b), max(a, b)))
    if pair is not None:
        pair.state, pair.decided_at, pair.decided_by = state, at, by.user_id if by else None


def dismiss(
    session: Session, a: int, b: int, *, at: datetime, by: Viewer | None, note: str = ""
) -> None:
    """Say that two records are different people; they are not proposed again. `note` says why."""
    low, high = min(a, b), max(a, b)
    _decide(session, low, high, PairState.DIFFERENT, at, by)
    pair = session.get(DuplicatePair, (low, high))
    if pair is not None:
        pair.note = note[:MOST]
    audit.record(
        session, "alumnus.different", kind="alumnus", key=low, by=by, at=at, other=high,
        why=note[:MOST],
    )  # fmt: skip
    session.flush()
