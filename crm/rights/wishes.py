"""What a person asks of their data by their mailed link: confirmed by a code, then fulfilled.

The link may have been forwarded, so that a code goes to the address that the link itself went to.
The letter that says that somebody was forgotten is queued in the transaction that forgets them: it
cannot say what did not happen, and it goes once. It alone still knows the address, until it went.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import gettext as _
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus, ContactPoint, ContactStatus
from crm.core.district import chosen
from crm.core.errors import Conflict, Invalid
from crm.core.throttle import TooMany, hit, unnamed
from crm.core.viewer import Viewer
from crm.links.letters import send_letter
from crm.links.service import bound_address
from crm.links.tokens import Claim
from crm.rights.choices import RightsRule
from crm.rights.erasing import erase
from crm.rights.models import DataRequest, LegalHold, RequestState, RightKind
from crm.rights.queries import held, usual_address

CODE_LIFE = timedelta(minutes=30)
TICKET_LIFE = timedelta(minutes=30)
MAX_ATTEMPTS = 5
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ORIGIN = "link:rights"


def ask(
    session: Session, alumnus: Alumnus, kind: RightKind, *, claim: Claim, client: str, at: datetime
) -> DataRequest | None:
    """Mail a code to the address that the link went to; None where that is no longer theirs.

    Raises `TooMany`.
    """
    where = unnamed(client)
    allowed = [
        hit(session, f"rights:hour:{alumnus.id}", limit=5, per=HOUR, at=at),
        hit(session, f"rights:day:{alumnus.id}", limit=12, per=DAY, at=at),
        hit(session, f"rights:client:{where}", limit=20, per=HOUR, at=at),
    ]
    if not all(allowed):
        raise TooMany([_("Too many codes were asked for. Wait an hour.")])
    point = bound_address(session, claim)
    if point is None:
        return None
    code = f"{secrets.randbelow(1_000_000):06d}"
    request = DataRequest(
        alumnus_id=alumnus.id, kind=kind, state=RequestState.UNCONFIRMED,
        contact_point_id=point.id, asked_at=at, expires_at=at + CODE_LIFE,
    )  # fmt: skip
    session.add(request)
    session.flush()
    request.code_hash = _keyed(request, code)
    send_letter(
        session, f"confirm-{kind.value}", key=f"rights:{request.id}", to_address=point.value,
        language=alumnus.language, merge={"code": code}, origin=ORIGIN, at=at,
        expires_at=at + CODE_LIFE, alumnus_id=alumnus.id,
    )  # fmt: skip
    session.flush()
    return request


def waiting(
    session: Session, alumnus_id: int, kind: RightKind, *, at: datetime
) -> DataRequest | None:
    """The newest wish of a kind that still waits for its code."""
    mine = DataRequest.alumnus_id == alumnus_id, DataRequest.kind == kind
    newest = session.scalars(
        select(DataRequest).where(*mine).order_by(DataRequest.id.desc()).limit(1)
    ).one_or_none()
    if newest is None or newest.state is not RequestState.UNCONFIRMED or newest.expires_at <= at:
        return None
    return newest if newest.attempts < MAX_ATTEMPTS else None


def confirm(session: Session, request: DataRequest, typed: str, *, at: datetime) -> bool:
    """Whether the code is right. Each try counts: commit in either case."""
    tried = session.execute(
        update(DataRequest)
        .where(
            DataRequest.id == request.id, DataRequest.attempts < MAX_ATTEMPTS,
            DataRequest.state == RequestState.UNCONFIRMED,
        )
        .values(attempts=DataRequest.attempts + 1)
        .returning(DataRequest.code_hash)
    ).scalar_one_or_none()  # fmt: skip
    right = _keyed(request, "".join(typed.split()))
    if not hmac.compare_digest(tried or "", right):
        return False
    session.refresh(request)
    request.confirmed_at, request.code_hash = at, ""
    session.flush()
    return True


def file_erasing(session: Session, request: DataRequest, *, at: datetime) -> bool:
    """Fulfil a confirmed wish to be forgotten, or put it before the office; whether it is done."""
    rule = chosen(session, RightsRule)
    request.state, request.due_on = RequestState.OPEN, (at + timedelta(days=rule.days)).date()
    audit.record(
        session, "rights.erasing_asked", kind="alumnus", key=request.alumnus_id, by=None, at=at,
        due=request.due_on.isoformat(),
    )  # fmt: skip
    session.flush()
    if not rule.immediate or held(session, request.alumnus_id):
        return False
    forget(session, request.alumnus_id, by=None, at=at)
    return True


def note_download(session: Session, request: DataRequest, *, at: datetime) -> str:
    """Close a confirmed wish for a file, and answer the ticket that fetches it for a while."""
    request.state, request.ended_at = RequestState.DONE, at
    session.flush()
    return str(_sealer().dumps({"for": request.alumnus_id, "at": at.timestamp()}))


def ticket_holds(ticket: str, *, alumnus_id: int, at: datetime) -> bool:
    """Whether a ticket is this person's and still good."""
    try:
        said: Mapping[str, Any] = _sealer().loads(ticket)
    except BadData:
        return False
    fresh = said["at"] > (at - TICKET_LIFE).timestamp()
    return bool(said["for"] == alumnus_id and fresh)


def forget(session: Session, alumnus_id: int, *, by: Viewer | None, at: datetime) -> dict[str, int]:
    """Erase a person, close their open wishes, and queue the one letter that tells them.

    The letter is in the same transaction: after a crash there are both or neither.
    """
    person = session.get_one(Alumnus, alumnus_id)
    language, point = person.language, usual_address(session, alumnus_id)
    told = point.value if point is not None and not _bad(point) and not person.deceased else None
    rows = erase(session, alumnus_id, at=at, by=by)
    session.execute(
        update(DataRequest)
        .where(
            DataRequest.alumnus_id == alumnus_id, DataRequest.state == RequestState.OPEN,
            DataRequest.kind == RightKind.ERASE,
        )
        .values(
            state=RequestState.DONE, ended_at=at, ended_by=by.user_id if by else None
        )
    )  # fmt: skip
    if told is not None:
        send_letter(
            session, "erased", key=f"farewell:{alumnus_id}", to_address=told, language=language,
            merge={}, origin=ORIGIN, at=at, expires_at=at + 7 * DAY,
        )  # fmt: skip
    session.flush()
    return rows


def decline(session: Session, request: DataRequest, *, why: str, by: Viewer, at: datetime) -> None:
    """Say no to a wish to be forgotten, with the reason, which is mailed to the person."""
    if request.state is not RequestState.OPEN:
        raise Conflict("This request is closed already.")
    if not why.strip():
        raise Invalid(_("Write down why: the person gets to read it."), field="why")
    request.state, request.note = RequestState.DECLINED, why.strip()
    request.ended_at, request.ended_by = at, by.user_id
    person = session.get_one(Alumnus, request.alumnus_id)
    point = usual_address(session, person.id)
    if point is not None and not _bad(point):
        send_letter(
            session, "erasing-declined", key=f"declined:{request.id}", to_address=point.value,
            language=person.language, merge={"reason": request.note}, origin=ORIGIN, at=at,
            expires_at=at + 7 * DAY, alumnus_id=person.id,
        )  # fmt: skip
    audit.record(
        session, "rights.erasing_declined", kind="alumnus", key=person.id, by=by, at=at,
        why=request.note,
    )  # fmt: skip
    session.flush()


def hold(session: Session, alumnus_id: int, *, reason: str, by: Viewer, at: datetime) -> None:
    """Keep everything of a person as it is: no erasing, no retention."""
    if not reason.strip():
        raise Invalid(_("Write down why this must be kept."), field="reason")
    if held(session, alumnus_id):
        raise Conflict("A legal hold stands on this person already.")
    session.add(LegalHold(alumnus_id=alumnus_id, reason=reason.strip(), at=at, by=by.user_id))
    audit.record(
        session, "rights.held", kind="alumnus", key=alumnus_id, by=by, at=at, reason=reason.strip()
    )
    session.flush()


def release(session: Session, alumnus_id: int, *, by: Viewer, at: datetime) -> None:
    """End a legal hold."""
    statement = update(LegalHold).where(
        LegalHold.alumnus_id == alumnus_id, LegalHold.released_at.is_(None)
    )
    session.execute(statement.values(released_at=at, released_by=by.user_id))
    audit.record(session, "rights.released", kind="alumnus", key=alumnus_id, by=by, at=at)
    session.flush()


FAREWELLS = """
update message set to_address = null, merge = '{}' where key like 'farewell:%'
    and to_address is not null and state in ('accepted', 'skipped', 'failed')
"""
LATE_WORDS = """
update delivery_event set payload = '{}' where received_at > :since and payload <> '{}'
    and message_id in (select id from message where key like 'erased:%' or key like 'farewell:%')
"""
LETTERS_READ = """
delete from mailbox_item where at < :before
    and message_id in (select id from message where key like 'farewell:%')
"""


def forget_farewells(session: Session, at: datetime) -> int:
    """Take the address out of farewells that went, and out of what is told of them later.

    The mailbox in the app, which stands in for a provider, keeps such a letter for a day.
    """
    done = session.execute(text(FAREWELLS))
    session.execute(text(LATE_WORDS), {"since": at - 3 * DAY})
    session.execute(text(LETTERS_READ), {"before": at - DAY})
    return int(done.rowcount)  # type: ignore[attr-defined]


def _bad(point: ContactPoint) -> bool:
    return point.status not in {ContactStatus.OK, ContactStatus.UNCONFIRMED}


def _keyed(request: DataRequest, code: str) -> str:
    secret = str(current_app.secret_key).encode()
    said = f"rights\0{request.id}\0{request.alumnus_id}\0{request.kind.value}\0{code}"
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()


def _sealer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="homecoming.everything")
