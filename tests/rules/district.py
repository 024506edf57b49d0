"""A small district with one of everything, so that every address of the app leads somewhere.

A new argument in an address is taught here: `places` answers a value for it, by endpoint, by area
or for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from crm.accounts.models import AuditEntry, SignInCode, StaffSession, User
from crm.accounts.sessions import digest, start_session
from crm.alumni.models import Alumnus, ContactPoint
from crm.bulk.models import BulkLine, BulkRun, BulkState
from crm.bulk.models import Fate as BulkFate
from crm.core.viewer import SYSTEM, Role
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
from crm.mail.models import (
    Content,
    ContentVariant,
    ContentVersion,
    MailboxBatch,
    MailboxItem,
    Message,
    MessageAttachment,
    MessageClass,
    MessageState,
)
from crm.rights.models import DataRequest, RightKind
from crm.rights.models import RequestState as Open
from crm.schools.models import ChangeKind, School, SchoolChange
from lifecycle.campaigns.models import Campaign, CampaignState
from lifecycle.continuum.models import Standing
from lifecycle.journeys.models import StaffTask
from lifecycle.journeys.service import publish
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.clearance.models import Clearance
from segments.requests.models import (
    GradeBand,
    Place,
    Request,
    RequestDate,
    RequestState,
    Supervision,
)
from segments.saved.models import Segment
from tests.factories import Make

TOKEN = "seeded-" + "x" * 36
MESSAGE = UUID("00000000-0000-4000-8000-000000000001")


@dataclass
class District:
    """The seeded rows: an account of each role, and a value for each argument of an address."""

    users: dict[Role, User]
    places: dict[str, Any]

    def values_for(self, rule: Rule) -> dict[str, Any] | None:
        """A value for each argument of the rule, or None if nobody taught us one."""
        area = rule.endpoint.split(".")[0]
        found = {}
        for name in rule.arguments:
            keys = (f"{rule.endpoint}/{name}", f"{area}/{name}", name)
            found[name] = next((self.places[key] for key in keys if key in self.places), None)
        return None if None in found.values() else found


def rules(app: Flask, method: str) -> list[Rule]:
    """The rules that answer the method, files apart, in order of their address."""
    found = (r for r in app.url_map.iter_rules() if method in (r.methods or ()))
    return sorted((r for r in found if not r.endpoint.endswith("static")), key=lambda r: r.rule)


def addresses(app: Flask, district: District, method: str) -> list[tuple[Rule, str]]:
    """Each rule that answers the method, with an address of it that leads to a seeded row."""
    adapter = app.url_map.bind("localhost")
    known = ((rule, district.values_for(rule)) for rule in rules(app, method))
    return [
        (rule, adapter.build(rule.endpoint, values) + district.places.get(f"{rule.endpoint}?", ""))
        for rule, values in known
        if values is not None
    ]


def seed(make: Make) -> District:
    """Make the district; everything is flushed and rolled back with the test."""
    cluster = make.cluster("Lincoln")
    school = make.school("Lincoln High", cluster=cluster)
    users = {
        Role.COORDINATOR: make.user(name="Ada Coordinator"),
        Role.LIAISON: make.user(Role.LIAISON, cluster=cluster, name="Ben Liaison"),
        Role.SCHOOL: make.user(Role.SCHOOL, school=school, name="Chen School"),
        Role.VIEWER: make.user(Role.VIEWER, name="Dara Viewer"),
    }
    person = make.alumnus("Zoë", "Nuñez", school=school, ways=("speak",), external_id="007")
    other = make.alumnus("Omar", "Haddad", school=school)
    talk = make.interaction(person)
    places = {
        "alumnus_id": person.id,
        "school_id": school.id,
        "interaction_id": talk.id,
        "user_id": users[Role.VIEWER].id,
        "accounts.end_session_of/user_id": users[Role.COORDINATOR].id,
        "language": "en",
        "consent/key": "news",
        "rights/kind": "erase",
        "rights.person_file/kind": "json",
        "rights.own_file/kind": "json",
        **_wish(make, person),
        **_session(make.session, users[Role.COORDINATOR], make),
        **_mail(make, person),
        **_lifecycle(make, person),
        **_segments(make, person, school, users[Role.SCHOOL]),
        **_import(make, person),
        **_links(make, person),
        **_exports(make, users),
        **_bulk(make, person, users),
        **_duplicates(make, person, other),
        **_events(make, person, school),
        **_lineage(make, school),
        "composing.build?": "?q=class:2015+(way:speak+or+is:senior)+did(gift)+-(a+(b+or+c))",
        **_door(make, school),
    }
    return District(users, places)


def _door(make: Make, school: School) -> dict[str, Any]:
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


def _events(make: Make, person: Alumnus, school: School) -> dict[str, Any]:
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


def _duplicates(make: Make, person: Alumnus, other: Alumnus) -> dict[str, Any]:
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


def _lineage(make: Make, school: School) -> dict[str, Any]:
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


def _wish(make: Make, person: Alumnus) -> dict[str, Any]:
    """Somebody's confirmed wish to be forgotten."""
    wish = make.save(
        DataRequest(
            alumnus_id=person.id, kind=RightKind.ERASE, state=Open.OPEN, asked_at=make.at,
            expires_at=make.at + timedelta(hours=1), due_on=make.at.date() + timedelta(days=30),
        )
    )  # fmt: skip
    return {"wish_id": wish.id}


def _session(session: Session, user: User, make: Make) -> dict[str, Any]:
    start_session(session, user, at=make.at, agent="Elsewhere")
    make.save(
        AuditEntry(
            at=make.at, user_id=user.id, action="signed_in", object_kind="user",
            object_id=str(user.id), detail={},
        )
    )  # fmt: skip
    row = session.scalars(select(StaffSession).where(StaffSession.user_id == user.id)).first()
    return {"session_id": row.id if row else None}


def _mail(make: Make, person: Alumnus) -> dict[str, Any]:
    at = make.at
    content = make.save(Content(key="spring", name="Spring", topic_key="news", created_at=at))
    version = make.save(ContentVersion(content_id=content.id, no=1, created_at=at))
    make.save(
        ContentVariant(
            version_id=version.id, language="en", subject="Hello {{ first_name }}",
            body="Good to hear from you, {{ first_name }}.",
        )
    )  # fmt: skip
    common: dict[str, Any] = {
        "alumnus_id": person.id, "version_id": version.id, "queued_at": at, "not_before": at,
        "message_class": MessageClass.MARKETING, "topic_key": "news", "origin": "campaign:spring",
    }  # fmt: skip
    make.save(
        Message(
            id=MESSAGE, key="seed:1", to_address="zoe@mail.example", language="en",
            state=MessageState.ACCEPTED, accepted_at=at - timedelta(hours=1), **common,
        )
    )  # fmt: skip
    make.save(
        Message(
            id=UUID(int=2), key="seed:2", state=MessageState.SKIPPED, reason="no_consent", **common
        )
    )
    batch = make.save(
        MailboxBatch(
            batch_id="b1", sender="Office <office@d.example>", subject="Hello", plain="Hello",
            html="<p>Hello</p>", at=at,
        )
    )  # fmt: skip
    item = make.save(
        MailboxItem(
            message_id=MESSAGE, batch_id=batch.id, to_address="zoe@mail.example", headers={},
            substitutions={}, at=at,
        )
    )  # fmt: skip
    file = make.save(
        MessageAttachment(
            message_id=MESSAGE, name="talk.ics", media_type="text/calendar", body=b"BEGIN:VCALENDAR"
        )
    )
    return {
        "file_id": file.id, "message_id": MESSAGE, "item_id": item.id, "mail/item": item.id,
        "content_id": content.id, "version_id": version.id,
    }  # fmt: skip


def _lifecycle(make: Make, person: Alumnus) -> dict[str, Any]:
    at, session = make.at, make.session
    content = session.scalars(select(Content).where(Content.key == "spring")).one()
    version = session.scalars(
        select(ContentVersion).where(ContentVersion.content_id == content.id)
    ).one()
    make.save(
        Standing(
            alumnus_id=person.id, phase="established", phase_since=at, stage="involved",
            stage_since=at,
        )
    )  # fmt: skip
    common: dict[str, Any] = {
        "query": "class:2000..", "topic_key": "news", "content_id": content.id,
        "version_id": version.id, "created_at": at,
    }  # fmt: skip
    make.save(
        Campaign(
            key="spring", name="Spring news", state=CampaignState.SENT, audience=2, send_at=at,
            started_at=at, ended_at=at, **common,
        )
    )  # fmt: skip
    make.save(Campaign(key="draft", name="A draft", state=CampaignState.DRAFT, **common))
    text = (Path(__file__).parents[2] / "journeys" / "welcome.yaml").read_text()
    journey = publish(session, text, name="welcome.yaml", by=SYSTEM, at=at).journey
    task = make.save(
        StaffTask(
            journey_id=journey.id, enrollment_id=1, seq=0, alumnus_id=person.id,
            title="Call them", given_at=at, due_at=at,
        )
    )  # fmt: skip
    drafts = ("edit", "write", "test", "schedule", "delete")
    return {
        "campaigns/key": "spring",
        "journeys/key": journey.key,
        "task_id": task.id,
        "journeys.people?": "?step=hello",
        **{f"campaigns.{e}/key": "draft" for e in drafts},
    }


def _segments(make: Make, person: Alumnus, school: School, teacher: User) -> dict[str, Any]:
    at = make.at
    segment = make.save(
        Segment(key="mentors", name="Mentors", query="way:mentor", created_at=at, updated_at=at)
    )
    clearance = make.save(
        Clearance(
            alumnus_id=person.id, level=2, granted_on=at.date(), recorded_at=at,
            expires_on=at.date() + timedelta(days=365),
        )
    )  # fmt: skip
    request = make.save(
        Request(
            school_id=school.id, title="A nurse for career day", way_key="speak", pupils=30,
            grade_band=GradeBand.G6_8, place=Place.SCHOOL, supervision=Supervision.SUPERVISED,
            state=RequestState.ASKING, created_by=teacher.id, created_at=at, approved_at=at,
        )
    )  # fmt: skip
    draft = make.save(
        Request(
            school_id=school.id, title="A judge", way_key="judge", pupils=30,
            grade_band=GradeBand.G6_8, place=Place.SCHOOL, supervision=Supervision.SUPERVISED,
            state=RequestState.DRAFT, created_by=teacher.id, created_at=at,
        )
    )  # fmt: skip
    starts = at + timedelta(days=14)
    date = make.save(
        RequestDate(request_id=request.id, starts_at=starts, ends_at=starts + timedelta(hours=1))
    )
    ask = make.save(
        Ask(
            request_id=request.id, alumnus_id=person.id, way_key="speak", asked_at=at,
            state=AskState.ACCEPTED, answered_at=at, rank=1, probability=0.4, reasons=[],
        )
    )  # fmt: skip
    commitment = make.save(
        Commitment(
            ask_id=ask.id, request_id=request.id, alumnus_id=person.id, starts_at=starts,
            ends_at=starts + timedelta(hours=1), state=CommitmentState.PLANNED, created_at=at,
        )
    )  # fmt: skip
    return {
        "saved/key": segment.key, "segments/key": segment.key, "segment_id": segment.id,
        "clearance_id": clearance.id, "request_id": request.id,
        "requests.edit/request_id": draft.id,
        "requests.save/request_id": draft.id, "ask_id": ask.id,
        "date_id": date.id, "commitment_id": commitment.id, "way_key": "speak",
    }  # fmt: skip


def _import(make: Make, person: Alumnus) -> dict[str, Any]:
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


def _exports(make: Make, users: dict[Role, User]) -> dict[str, Any]:
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


def _bulk(make: Make, person: Alumnus, users: dict[Role, User]) -> dict[str, Any]:
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


def _links(make: Make, person: Alumnus) -> dict[str, Any]:
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
