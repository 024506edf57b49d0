"""Rows of the seeded district about what goes out: mail, campaigns, journeys, requests, asks."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select

from crm.accounts.models import User
from crm.alumni.models import Alumnus
from crm.core.viewer import SYSTEM
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
from crm.schools.models import School
from lifecycle.campaigns.models import Campaign, CampaignState
from lifecycle.continuum.models import Standing
from lifecycle.journeys.models import StaffTask
from lifecycle.journeys.service import publish
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.clearance.models import Clearance
from segments.mentoring.models import MentorCheckin, MentorPair, PairState
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

MESSAGE = UUID("00000000-0000-4000-8000-000000000001")


def mail_rows(make: Make, person: Alumnus) -> dict[str, Any]:
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


def lifecycle_rows(make: Make, person: Alumnus) -> dict[str, Any]:
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
        "journeys.compare/old": 1,
        "journeys.compare/new": 1,
        "journeys.people?": "?step=hello",
        **{f"campaigns.{e}/key": "draft" for e in drafts},
    }


def segments_rows(make: Make, person: Alumnus, school: School, teacher: User) -> dict[str, Any]:
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
    pair = make.save(
        MentorPair(
            alumnus_id=person.id, school_id=school.id, request_id=request.id, mentee="R. S.",
            level=2, starts_on=at.date(), ends_on=at.date() + timedelta(days=80),
            state=PairState.ACTIVE, created_at=at,
        )
    )  # fmt: skip
    checkin = make.save(
        MentorCheckin(
            pair_id=pair.id, alumnus_id=person.id, number=1, due_on=at.date(), sent_at=at,
            hours=Decimal(1),
        )
    )  # fmt: skip
    return {
        "pair_id": pair.id, "checkin_id": checkin.id,
        "mentoring/token": issue(
            "mentor", alumnus_id=person.id, epoch=person.link_epoch, at=at, subject=checkin.id
        ),
        "saved/key": segment.key, "segments/key": segment.key, "segment_id": segment.id,
        "clearance_id": clearance.id, "request_id": request.id,
        "requests.edit/request_id": draft.id,
        "requests.save/request_id": draft.id, "ask_id": ask.id,
        "date_id": date.id, "commitment_id": commitment.id, "way_key": "speak",
    }  # fmt: skip
