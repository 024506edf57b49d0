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
from crm.core.errors import NotFound
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.mail.reasons import ERASED

MINE = "select :id union select id from alumnus where merged_into_id = :id"
"""The record, and those that became part of it."""
GONE = (
    "external_id", "contact_point", "interest", "schooling", "address_confirmation",
    "consent_entry",
)  # fmt: skip
STRIPPED = {
    "interaction": "note = ''",
    "message": "to_address = null, contact_point_id = null, merge = '{}', key = 'erased:' || id",
}
MAIL = f"select id from message where alumnus_id in ({MINE})"
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

    Raises `NotFound` for nobody. The caller commits: all of it or nothing. It cannot be undone.
    """
    if session.get(Alumnus, alumnus_id, with_for_update=True) is None:
        raise NotFound("There is no such person.")
    session.flush()
    session.execute(text("set local homecoming.erasing = 'yes'"))
    done = {"suppressed": _keep_hashes(session, alumnus_id, at)}
    conditions = {
        **extensions().derived, **dict.fromkeys(GONE, "alumnus_id in ({gone})"),
        "mailbox_item": f"message_id in ({MAIL})", "message_attachment": f"message_id in ({MAIL})",
    }  # fmt: skip
    for table, condition in conditions.items():
        where = condition.format(gone=MINE)
        done[table] = _count(session, f"delete from {table} where {where}", alumnus_id)
    _strip(session, alumnus_id, at)
    session.execute(text("set local homecoming.erasing = 'no'"))
    audit.record(session, "alumnus.erased", kind="alumnus", key=alumnus_id, by=by, at=at)
    session.flush()
    session.expire_all()
    return {table: n for table, n in done.items() if n}


def _count(session: Session, statement: str, alumnus_id: int) -> int:
    return int(session.execute(text(statement), {"id": alumnus_id}).rowcount)  # type: ignore[attr-defined]


def _keep_hashes(session: Session, alumnus_id: int, at: datetime) -> int:
    """Every address of their own as a hash; what was known of it in clear is dropped."""
    own = f"""select distinct c.key from contact_point c
        where c.alumnus_id in ({MINE}) and c.kind = 'email' and c.owner = 'own'"""
    values = {"id": alumnus_id, "reason": SuppressionReason.STAFF.value, "at": at}
    done = session.execute(
        text(
            f"""insert into suppression (address_key, reason, source, at)
            select '{HASHED}' || encode(sha256(convert_to(key, 'UTF8')), 'hex'), :reason,
                'erased', :at from ({own}) own
            on conflict (address_key) do update set lifted_at = null"""
        ),
        values,
    )
    session.execute(text(f"delete from suppression where address_key in ({own})"), values)
    return int(done.rowcount)  # type: ignore[attr-defined]


def _strip(session: Session, alumnus_id: int, at: datetime) -> None:
    """Take the words out of what stays: deeds, mail, asks, the trail, the lines of files."""
    values = {"id": alumnus_id, "at": at}
    blank = ", ".join(f"{name} = ''" for name in BLANK)
    nothing = ", ".join(f"{name} = null" for name in NOTHING)
    for statement in (
        f"""update message set state = 'skipped', reason = '{ERASED}', ended_at = :at
            where alumnus_id in ({MINE}) and state = 'queued'""",
        f"update delivery_event set payload = '{{}}' where message_id in ({MAIL})",
        *(
            f"update {table} set {words} where alumnus_id in ({MINE})"
            for table, words in {**STRIPPED, **extensions().stripped}.items()
        ),
        f"""update audit_entry set detail = '{{}}' where object_kind = 'alumnus'
            and object_id in (select cast(i as text) from ({MINE}) mine(i))""",
        f"""update import_line set external_id = null, changes = null, reason = null
            where alumnus_id in ({MINE})""",
        "update merge set fields = '{}' where kept_id = :id or gone_id = :id",
        f"""update alumnus set {blank}, {nothing}, custom = '{{}}', language = 'en',
            do_not_contact = true, link_epoch = link_epoch + 1, merged_into_id = id,
            updated_at = :at where id in ({MINE})""",
    ):
        session.execute(text(statement), values)
