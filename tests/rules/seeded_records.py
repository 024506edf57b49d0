"""Rows of the seeded district about records: imports, exports, merges, events, rights, links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.accounts.models import AuditEntry, SignInCode, StaffSession, User
from crm.accounts.sessions import digest, start_session
from crm.alumni.models import Alumnus, ContactPoint
from crm.bulk.models import BulkLine, BulkRun, BulkState
from crm.bulk.models import Fate as BulkFate
from crm.core.viewer import Role
from crm.door.joining import digest as digest_of_join
from crm.door.models import ClassmateNote, JoinPending, NoteState, SchoolCode
from crm.duplicates.models import DuplicatePair, Merge, PairState
from crm.events.models import Answer, Event, EventKind, EventState, Invitation
from crm.exports.models import ExportRun, ExportState, Format
from crm.imports.models import (
    CustomField,
    Fate,
    ImportLine,
    ImportMapping,
    ImportRun,
    ImportState,
)
from crm.links.tokens import issue
from crm.rights.models import DataRequest, RightKind
from crm.rights.models import RequestState as Open
from crm.schools.models import ChangeKind, School, SchoolChange
from segments.asks.models import Ask
from tests.factories import Make
from tests.rules.seeded_outreach import MESSAGE

TOKEN = "seeded-" + "x" * 36


def door_rows(make: Make, school: School) -> dict[str, Any]:
    """A poster, a sign-up that waits for its link, and a lost classmate."""
    make.save(SchoolCode(code="abcd2345", school_id=school.id, made_at=make.at))
    wish = {
        "given_name": "Noor", "family_name": "Vega", "schools": [[school.id, 2019]],
        "topics": ["news"], "wording": "I agree",
    }  # fmt: skip
    make.save(
        JoinPending(
            token_hash=digest_of_join("join-token"), email="noor@mail.example", wish=wish,
            email_key="noor@mail.example", language="en", created_at=make.at,
            expires_at=make.at + timedelta(days=3), mailed_at=make.at,
        )
    )  # fmt: skip
    note = make.save(
        ClassmateNote(
            name="Tomás Rivera", sender="Noor", language="en", state=NoteState.OPEN,
            hint="He moved to Macon", created_at=make.at,
        )
    )  # fmt: skip
    return {
        "join.senior/code": "abcd2345", "join.confirm/token": "join-token", "note_id": note.id,
    }  # fmt: skip


def events_rows(make: Make, person: Alumnus, school: School) -> dict[str, Any]:
    """A talk at the school that takes answers, and a person who is coming."""
    at = make.at
    event = make.save(
        Event(
            key="career-talk", kind=EventKind.TALK, state=EventState.OPEN, school_id=school.id,
            texts={"en": {"title": "Career talk", "description": "Come and *listen*."}},
            place="Library", address="1 School Street", virtual_address="https://meet.example/talk",
            time_zone="America/New_York", starts_at=at + timedelta(hours=5),
            ends_at=at + timedelta(hours=7), capacity=30, guests_allowed=2, reminders=[7, 1],
            query="class:2015", audience=1, sequence=1, told=0, created_at=at, updated_at=at,
        )
    )  # fmt: skip
    make.save(
        Invitation(
            event_id=event.id, alumnus_id=person.id, invited_at=at, answer=Answer.COMING,
            answered_at=at, placed_at=at, in_line_since=at, guests=1, guest_names="Ana",
        )
    )  # fmt: skip
    mine: dict[str, Any] = {"alumnus_id": person.id, "epoch": 0, "at": at, "subject": event.id}
    return {
        "events/key": event.key, "door/key": event.key, "event/token": issue("event", **mine),
        "door/token": issue("check-in", **mine),
    }  # fmt: skip


def duplicates_rows(make: Make, person: Alumnus, other: Alumnus) -> dict[str, Any]:
    """A pair that waits, and a merge that stands."""
    make.save(
        DuplicatePair(
            first_id=person.id, second_id=other.id, probability=0.9, reasons=["phone"],
            state=PairState.OPEN, found_at=make.at,
        )
    )  # fmt: skip
    gone = make.alumnus("Zoe", "Nunez")
    gone.merged_into_id = person.id
    done = make.save(Merge(kept_id=person.id, gone_id=gone.id, at=make.at, moved={}, fields={}))
    return {"first_id": person.id, "second_id": other.id, "merge_id": done.id}


def lineage_rows(make: Make, school: School) -> dict[str, Any]:
    """A school that became part of the seeded one, and the seeded one's name of old."""
    mill = make.school("Mill High")
    facts = {"on_day": make.at.date(), "at": make.at}
    make.save(
        SchoolChange(
            school_id=mill.id, kind=ChangeKind.MERGED, other_id=school.id, before="open",
            after="closed", **facts,
        )
    )  # fmt: skip
    change = make.save(
        SchoolChange(
            school_id=school.id, kind=ChangeKind.RENAMED, before="Lake High", after=school.name,
            **facts,
        )
    )  # fmt: skip
    return {"change_id": change.id, "verb": "rename"}


def wish_rows(make: Make, person: Alumnus) -> dict[str, Any]:
    """Somebody's confirmed wish to be forgotten."""
    wish = make.save(
        DataRequest(
            alumnus_id=person.id, kind=RightKind.ERASE, state=Open.OPEN, asked_at=make.at,
            expires_at=make.at + timedelta(hours=1), due_on=make.at.date() + timedelta(days=30),
        )
    )  # fmt: skip
    return {"wish_id": wish.id}


def session_rows(session: Session, user: User, make: Make) -> dict[str, Any]:
    start_session(session, user, at=make.at, agent="Elsewhere")
    make.save(
        AuditEntry(
            at=make.at, user_id=user.id, action="signed_in", object_kind="user",
            object_id=str(user.id), detail={},
        )
    )  # fmt: skip
    row = session.scalars(select(StaffSession).where(StaffSession.user_id == user.id)).first()
    return {"session_id": row.id if row else None}


def import_rows(make: Make, person: Alumnus) -> dict[str, Any]:
    run = make.save(
        ImportRun(
            kind="people", filename="roster.csv", layout="plain", state=ImportState.APPLIED,
            totals={"create": 1, "reject": 1}, lines_done=2, lines_total=2, created_at=make.at,
            applied_at=make.at,
        )
    )  # fmt: skip
    make.save(ImportLine(import_id=run.id, line=2, fate=Fate.CREATE, alumnus_id=person.id))
    make.save(ImportLine(import_id=run.id, line=3, fate=Fate.REJECT, reason="no name"))
    kept = make.save(
        ImportMapping(
            name="Booster club", fingerprint="f" * 64, header=["Name", "Club"],
            layout="spreadsheet", directions={"columns": {"Club": "custom.club:text!"}},
            created_at=make.at, used_at=make.at,
        )
    )  # fmt: skip
    make.save(CustomField(key="club", label="Club", targeting=True, created_at=make.at))
    return {
        "import_id": run.id, "run_id": run.id, "fate": "reject", "mapping_id": kept.id,
        "mappings.change_field/key": "club",
    }  # fmt: skip


def exports_rows(make: Make, users: dict[Role, User]) -> dict[str, Any]:
    """An export that waits for a second person, and the addresses of one that is being made."""
    other = make.user(name="Eve Coordinator")
    common: dict[str, Any] = {
        "query": "class:2000..", "format": Format.CSV, "columns": ["id", "given_name"],
        "people": 2, "asked_at": make.at, "reason": "a reunion", "word": "", "wall": "",
    }  # fmt: skip
    waits = make.save(ExportRun(state=ExportState.WAITING, asked_by=other.id, **common))
    mine = users[Role.COORDINATOR].id
    made = make.save(ExportRun(state=ExportState.MAKING, asked_by=mine, **common))
    return {"export_id": waits.id, "exports.progress/export_id": made.id}


def bulk_rows(make: Make, person: Alumnus, users: dict[Role, User]) -> dict[str, Any]:
    """A change that waits to be applied."""
    asker = users[Role.COORDINATOR].id
    run = make.save(
        BulkRun(
            action="way", options={"key": "mentor", "doing": "set"}, said="Set “Mentor”",
            query="class:2000..", state=BulkState.READY, totals={"change": 1}, asked_by=asker,
            works_for=asker, asked_at=make.at, moved_at=make.at,
        )
    )  # fmt: skip
    make.save(
        BulkLine(run_id=run.id, alumnus_id=person.id, fate=BulkFate.CHANGE, reason="", after=True)
    )
    return {"bulk/run_id": run.id}


def links_rows(make: Make, person: Alumnus) -> dict[str, Any]:
    point = make.session.scalars(
        select(ContactPoint).where(ContactPoint.alumnus_id == person.id)
    ).one()
    ask = make.session.scalars(select(Ask)).first()
    make.save(
        SignInCode(
            user_id=make.user().id, token_hash=digest(TOKEN), code_hash=digest("123456"),
            created_at=make.at, expires_at=make.at + timedelta(minutes=15),
        )
    )  # fmt: skip
    common: dict[str, Any] = {
        "alumnus_id": person.id, "epoch": 0, "at": make.at - timedelta(days=1),
        "contact_point_id": point.id, "message_id": MESSAGE,
    }  # fmt: skip
    leaving = issue("unsubscribe", **common)
    return {
        "point_id": point.id,
        "token": issue("profile", **common),
        "asks/token": issue("ask", subject=ask.id if ask else None, **common),
        "portal.leaving/token": leaving,
        "portal.unsubscribe/token": leaving,
        "accounts/token": TOKEN,
    }
