"""What is done to a campaign: draft, write, test, schedule, start, stop.

Starting writes one message row for each person of the audience in one statement; from then on the
send policy decides, and each row ends as sent, waiting or skipped with its reason (law 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from flask_babel import gettext as _
from sqlalchemy import String, cast, exists, func, literal, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.accounts.models import User
from crm.consent.models import Topic
from crm.core.errors import Conflict, Invalid
from crm.core.extend import QueryContext
from crm.core.keys import free_key
from crm.core.throttle import TooMany, hit
from crm.core.viewer import SYSTEM, Viewer
from crm.mail.content import Variant, save_content
from crm.mail.figures import WAITING
from crm.mail.models import Content, ContentVersion, Message, MessageClass
from crm.mail.outbox import drop_queued, queue_many, queue_message
from crm.query import compile_query
from lifecycle.campaigns.models import Campaign, CampaignState
from lifecycle.campaigns.queries import due_campaigns, load_campaign, origin, variants

PATIENCE = timedelta(days=7)
"""How long a campaign's message may wait for a free slot before it is skipped as expired."""
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Draft:
    """What a coordinator decides about a campaign besides its texts."""

    name: str
    goal: str
    query: str
    topic_key: str


def create(session: Session, draft: Draft, *, by: Viewer, at: datetime) -> Campaign:
    """A new draft; its query and topic are checked. Raises `Invalid` naming the field."""
    _check(session, draft, by=by, at=at)
    key = free_key(session, Campaign.key, draft.name, otherwise="campaign")
    content = Content(
        key=f"campaign-{key}", name=draft.name, topic_key=draft.topic_key, created_at=at
    )
    session.add(content)
    session.flush()
    campaign = Campaign(
        key=key, name=draft.name, goal=draft.goal, query=draft.query, topic_key=draft.topic_key,
        content_id=content.id, state=CampaignState.DRAFT, created_by=by.user_id, created_at=at,
    )  # fmt: skip
    session.add(campaign)
    session.flush()
    audit.record(session, "create", kind="campaign", key=key, by=by, at=at, query=draft.query)
    return campaign


def edit(session: Session, campaign: Campaign, draft: Draft, *, by: Viewer, at: datetime) -> None:
    """Change a draft; what has been scheduled must be taken back first."""
    _must_be(campaign, CampaignState.DRAFT)
    _check(session, draft, by=by, at=at)
    before = {"name": campaign.name, "query": campaign.query, "topic": campaign.topic_key}
    campaign.name, campaign.goal = draft.name, draft.goal
    campaign.query, campaign.topic_key = draft.query, draft.topic_key
    session.execute(
        update(Content).where(Content.id == campaign.content_id).values(topic_key=draft.topic_key)
    )
    audit.record(
        session, "edit", kind="campaign", key=campaign.key, by=by, at=at,
        before=before, after={"name": draft.name, "query": draft.query, "topic": draft.topic_key},
    )  # fmt: skip


def _check(session: Session, draft: Draft, *, by: Viewer, at: datetime) -> None:
    if not draft.name.strip():
        raise Invalid("Give the campaign a name.", field="name")
    if session.get(Topic, draft.topic_key) is None:
        raise Invalid("Choose a topic that people can opt out of.", field="topic_key")
    compile_query(draft.query, QueryContext(session, by, at))


def _must_be(campaign: Campaign, *states: CampaignState) -> None:
    if campaign.state not in states:
        raise Conflict("The campaign has moved on; this is no longer possible.")


def write(
    session: Session,
    campaign: Campaign,
    language: str,
    variant: Variant,
    *,
    by: Viewer,
    at: datetime,
) -> ContentVersion:
    """Save the campaign's text in one language, keeping the others; checked before it is kept."""
    _must_be(campaign, CampaignState.DRAFT)
    _, current = variants(session, campaign)
    texts: Mapping[str, Variant] = {
        **{code: Variant(v.subject, v.preheader, v.body) for code, v in current.items()},
        language: variant,
    }
    key = f"campaign-{campaign.key}"
    return save_content(
        session,
        key=key,
        name=campaign.name,
        topic_key=campaign.topic_key,
        variants=texts,
        by=by,
        at=at,
    )


def send_test(session: Session, campaign: Campaign, *, by: Viewer, at: datetime) -> str:
    """Mail the text to whoever asks for it, one message a language; answers the address."""
    version, texts = variants(session, campaign)
    user = session.get(User, by.user_id) if by.user_id else None
    if version is None or not texts:
        raise Invalid("Write the text first.")
    if user is None:
        raise Invalid("A test goes to your own account's address; sign in as somebody.")
    if not hit(session, f"campaign-test:{user.id}", limit=20, per=HOUR, at=at):
        raise TooMany([_("Twenty tests in an hour are enough. Wait a little.")])
    for language in texts:
        queue_message(
            session, key=f"test:{campaign.key}:{uuid4()}", alumnus_id=None, to_address=user.email,
            version_id=version.id, message_class=MessageClass.IMMEDIATE, topic_key=None,
            origin=f"test:{campaign.key}", at=at, merge=test_values(user.name, language),
        )  # fmt: skip
    return user.email


def test_values(name: str, language: str) -> dict[str, str]:
    """What stands for the person's own words in a test."""
    return {
        "first_name": name.split()[0] if name else "Ada", "full_name": name, "class_year": "2015",
        "language": language,
    }  # fmt: skip


def schedule(
    session: Session, campaign: Campaign, *, send_at: datetime, by: Viewer, at: datetime
) -> None:
    """Set the campaign to go out at a moment (now, if that has passed); pins the text's version."""
    _must_be(campaign, CampaignState.DRAFT)
    version, texts = variants(session, campaign)
    if version is None or not texts:
        raise Invalid("Write the text before you schedule it.")
    compile_query(campaign.query, QueryContext(session, SYSTEM, at))
    campaign.version_id = version.id
    campaign.send_at = max(send_at, at)
    campaign.state = CampaignState.SCHEDULED
    audit.record(
        session, "schedule", kind="campaign", key=campaign.key, by=by, at=at,
        send_at=campaign.send_at.isoformat(), version=version.no,
    )  # fmt: skip


def unschedule(session: Session, campaign: Campaign, *, by: Viewer, at: datetime) -> None:
    """Take a scheduled campaign back to draft."""
    _must_be(campaign, CampaignState.SCHEDULED)
    campaign.state, campaign.send_at, campaign.version_id = CampaignState.DRAFT, None, None
    audit.record(session, "unschedule", kind="campaign", key=campaign.key, by=by, at=at)


def start(session: Session, campaign: Campaign, *, at: datetime) -> int:
    """Write one message for each person the query finds at this moment; answers how many."""
    _must_be(campaign, CampaignState.SCHEDULED)
    found = compile_query(campaign.query, QueryContext(session, SYSTEM, at))
    # Those who may not be mailed are not left out here: the gate skips them, with a reason.
    people = found.ids.subquery()
    person = people.c[0]
    key = literal(f"{origin(campaign)}:") + cast(person, String)
    queue_many(
        session, select(person.label("alumnus_id"), key.label("key")),
        message_class=MessageClass.MARKETING, at=at, origin=origin(campaign),
        version_id=campaign.version_id, topic_key=campaign.topic_key, expires_at=at + PATIENCE,
    )  # fmt: skip
    campaign.audience = session.scalars(
        select(func.count()).select_from(Message).where(Message.origin == origin(campaign))
    ).one()
    campaign.state, campaign.started_at = CampaignState.SENDING, at
    finish(session, campaign, at=at)
    return campaign.audience


def finish(session: Session, campaign: Campaign, *, at: datetime) -> None:
    """Close a campaign that no message waits for any more."""
    waits = exists().where(Message.origin == origin(campaign), Message.state.in_(WAITING))
    if not session.scalar(select(waits)):
        campaign.state, campaign.ended_at = CampaignState.SENT, at


def stop(session: Session, campaign: Campaign, *, by: Viewer, at: datetime) -> int:
    """Skip every message that has not been handed over; answers how many."""
    _must_be(campaign, CampaignState.SCHEDULED, CampaignState.SENDING)
    stopped = drop_queued(session, origin=origin(campaign), reason="stopped", at=at)
    campaign.state, campaign.ended_at = CampaignState.STOPPED, at
    audit.record(session, "stop", kind="campaign", key=campaign.key, by=by, at=at, stopped=stopped)
    return stopped


def delete_draft(session: Session, campaign: Campaign, *, by: Viewer, at: datetime) -> None:
    """Remove a draft that never went out."""
    _must_be(campaign, CampaignState.DRAFT)
    audit.record(
        session, "delete", kind="campaign", key=campaign.key, by=by, at=at, name=campaign.name
    )
    session.delete(campaign)
    session.flush()


def start_due(session: Session, at: datetime) -> tuple[int, int]:
    """Start what is due and close what is over, committing each; answers (started, queued).

    Safe to run from several workers: the campaign's row is locked and its state looked at again.
    """
    started = queued = 0
    for key in due_campaigns(session, at):
        campaign = load_campaign(session, key, lock=True)
        if (
            campaign.state is CampaignState.SCHEDULED
            and campaign.send_at
            and campaign.send_at <= at
        ):
            queued += start(session, campaign, at=at)
            started += 1
        elif campaign.state is CampaignState.SENDING:
            finish(session, campaign, at=at)
        session.commit()
    return started, queued


def copy(session: Session, campaign: Campaign, *, by: Viewer, at: datetime) -> Campaign:
    """A new draft with the same audience and texts."""
    draft = Draft(campaign.name, campaign.goal, campaign.query, campaign.topic_key)
    twin = create(session, draft, by=by, at=at)
    _, texts = variants(session, campaign)
    for language, text in texts.items():
        write(
            session, twin, language, Variant(text.subject, text.preheader, text.body), by=by, at=at
        )
    return twin
