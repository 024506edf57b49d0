"""Forgets a person: what must stay stays without a word about who they were.

The record becomes an empty, hidden one, so that figures of past years still add up: what was sent,
asked and done stays as a count. Their addresses stay as hashes among the suppressed, so that no
later file can bring mail back to them.
"""

# Table and column names come from our own models, never from a user.
# ruff: noqa: S608

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.consent.models import SuppressionReason
from crm.consent.queries import HASHED
from crm.core.errors import Conflict, NotFound
from crm.core.extend import Deed, Personal, extensions
from crm.core.viewer import Viewer
from crm.mail.reasons import ERASED

MINE = "select :id union select id from alumnus where merged_into_id = :id"
"""The record, and those that became part of it."""
HELD = f"""select exists (select from legal_hold
    where released_at is null and alumnus_id in ({MINE}))"""
BLANK = (
    "given_name", "middle_name", "family_name", "suffix", "preferred_name", "former_name",
    "name_key", "sort_key",
)  # fmt: skip
NOTHING = (
    "birth_date", "class_year", "graduated_on", "time_zone", "city", "state", "postal_code",
    "job_title", "employer", "field_of_work", "college", "paused_until",
)  # fmt: skip


def erase(session: Session, alumnus_id: int, *, at: datetime, by: Viewer | None) -> dict[str, int]:
    """Forget a person and the records that were merged into theirs; answers rows by table.

    Raises `NotFound` for nobody and `Conflict` while a legal hold stands. The caller commits: all
    of it or nothing. It cannot be undone.
    """
    person = session.get(Alumnus, alumnus_id, with_for_update=True)
    if person is None or person.merged_into_id == person.id:
        raise NotFound("There is no such person.")
    session.flush()
    if session.scalar(text(HELD), {"id": alumnus_id}):
        raise Conflict("A legal hold stands on this person: nothing may be erased until it ends.")
    session.execute(text("set local homecoming.erasing = 'yes'"))
    _end_mail(session, alumnus_id, at)
    known = extensions()
    declared = known.personal | {
        table: Personal(Deed.EMPTIED, values=words.replace("{", "{{").replace("}", "}}"))
        for table, words in known.stripped.items()
    }
    # What is found through another table is dealt with while that still tells whose it is.
    done = {"suppressed": _keep_hashes(session, alumnus_id, at)}
    for deed in (Deed.EMPTIED, Deed.DELETED):
        for table, mine in declared.items():
            if mine.deed is deed and table != "alumnus":
                done[table] = _deal(session, table, mine, alumnus_id)
        if deed is Deed.EMPTIED:
            for table, condition in known.derived.items():
                done[table] = _deal(session, table, Personal(Deed.DELETED, condition), alumnus_id)
    _blank(session, alumnus_id, at)
    session.execute(text("set local homecoming.erasing = 'no'"))
    audit.record(session, "alumnus.erased", kind="alumnus", key=alumnus_id, by=by, at=at)
    session.flush()
    session.expire_all()
    return {table: n for table, n in done.items() if n}


def _deal(session: Session, table: str, mine: Personal, alumnus_id: int) -> int:
    where = mine.where.format(gone=MINE)
    if mine.deed is Deed.DELETED:
        statement = f"delete from {table} where {where}"
    else:
        statement = f"update {table} set {mine.values.format(gone=MINE)} where {where}"
    return int(session.execute(text(statement), {"id": alumnus_id}).rowcount)  # type: ignore[attr-defined]


def _end_mail(session: Session, alumnus_id: int, at: datetime) -> None:
    """Nothing that still waits for them goes."""
    session.execute(
        text(
            f"""update message set state = 'skipped', reason = '{ERASED}', ended_at = :at
            where alumnus_id in ({MINE}) and state = 'queued'"""
        ),
        {"id": alumnus_id, "at": at},
    )


def _keep_hashes(session: Session, alumnus_id: int, at: datetime) -> int:
    """Every address of their own as a hash; what was known of it in clear is dropped."""
    own = f"""select distinct c.key from contact_point c
        where c.alumnus_id in ({MINE}) and c.kind = 'email' and c.owner = 'own'"""
    values = {"id": alumnus_id, "reason": SuppressionReason.STAFF.value, "at": at}
    done = session.execute(
        text(
            f"""insert into suppression (address_key, reason, source, at)
            select '{HASHED}' || encode(sha256(convert_to(own.key, 'UTF8')), 'hex'),
                coalesce(s.reason, :reason), 'erased', :at
            from ({own}) own left join suppression s on s.address_key = own.key
            on conflict (address_key) do update set lifted_at = null"""
        ),
        values,
    )
    session.execute(text(f"delete from suppression where address_key in ({own})"), values)
    return int(done.rowcount)  # type: ignore[attr-defined]


def _blank(session: Session, alumnus_id: int, at: datetime) -> None:
    """Take every word out of the record itself, and hide it."""
    blank = ", ".join(f"{name} = ''" for name in BLANK)
    nothing = ", ".join(f"{name} = null" for name in NOTHING)
    session.execute(
        text(
            f"""update alumnus set {blank}, {nothing}, custom = '{{}}', language = 'en',
            do_not_contact = true, link_epoch = link_epoch + 1, merged_into_id = id,
            updated_at = :at where id in ({MINE})"""
        ),
        {"id": alumnus_id, "at": at},
    )
