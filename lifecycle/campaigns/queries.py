"""Reads for campaigns: lists, the report that adds up (law 4), the people behind each figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.mail.models import Content, ContentVariant, ContentVersion, Delivery, Message, MessageState
from crm.query.naming import that_names
from crm.web.paging import Page, keyset
from lifecycle.campaigns.models import Campaign, CampaignState

WAITING = (
    MessageState.QUEUED, MessageState.CLAIMED, MessageState.UNCERTAIN, MessageState.CANCELLING,
)  # fmt: skip
NOT_SENT = (MessageState.SKIPPED, MessageState.FAILED)


def origin(campaign: Campaign) -> str:
    """What the campaign's messages say of where they come from."""
    return f"campaign:{campaign.key}"


@dataclass(frozen=True)
class Report:
    """Where an audience ended up: `sent` + the sum of `skipped` + `waiting` = `audience`."""

    audience: int
    sent: int = 0
    waiting: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    clicked: int = 0
    uncertain: int = 0

    @property
    def adds_up(self) -> bool:
        """Whether everybody is accounted for."""
        return self.sent + self.waiting + sum(self.skipped.values()) == self.audience

    def to_json(self) -> dict[str, Any]:
        """The report as the command prints it."""
        return {
            "audience": self.audience, "sent": self.sent, "skipped": dict(self.skipped),
            "waiting": self.waiting, "uncertain": self.uncertain, "delivered": self.delivered,
            "bounced": self.bounced, "complained": self.complained, "clicked": self.clicked,
        }  # fmt: skip


def report(session: Session, campaign: Campaign) -> Report:
    """The campaign's report, in one pass over its messages."""
    reports = reports_of(session, [campaign])
    return reports[campaign.key]


def reports_of(session: Session, campaigns: list[Campaign]) -> dict[str, Report]:
    """Reports of several campaigns by key, in one statement."""
    reason = case((Message.state.in_(NOT_SENT), Message.reason), else_=None)
    clicked = func.count().filter(Message.clicked_at.is_not(None))
    statement = (
        select(Message.origin, Message.state, Message.delivery, reason, func.count(), clicked)
        .where(Message.origin.in_([origin(c) for c in campaigns]))
        .group_by(Message.origin, Message.state, Message.delivery, reason)
    )
    rows: dict[str, list[Any]] = {}
    for row in session.execute(statement):
        rows.setdefault(row[0], []).append(row[1:])
    return {c.key: _sum_up(c.audience or 0, rows.get(origin(c), [])) for c in campaigns}


def _sum_up(audience: int, rows: list[Any]) -> Report:
    sent = waiting = uncertain = clicks = 0
    skipped: dict[str, int] = {}
    told = dict.fromkeys(Delivery, 0)
    for state, delivery, reason, count, clicked in rows:
        if state is MessageState.ACCEPTED:
            sent, clicks = sent + count, clicks + clicked
            told[delivery] += count
        elif state in WAITING:
            waiting += count
            uncertain += count if state is MessageState.UNCERTAIN else 0
        else:
            key = reason or "refused_by_provider"
            skipped[key] = skipped.get(key, 0) + count
    ordered = dict(sorted(skipped.items(), key=lambda item: -item[1]))
    bounced = told[Delivery.BOUNCED] + told[Delivery.DROPPED]
    return Report(
        audience=audience, sent=sent, waiting=waiting, skipped=ordered, clicked=clicks,
        delivered=told[Delivery.DELIVERED], bounced=bounced, uncertain=uncertain,
        complained=told[Delivery.COMPLAINED],
    )  # fmt: skip


def load_campaign(session: Session, key: str, *, lock: bool = False) -> Campaign:
    """The campaign of a key; `NotFound` otherwise."""
    statement = select(Campaign).where(Campaign.key == key)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    campaign = session.scalars(statement).one_or_none()
    if campaign is None:
        raise NotFound(f"There is no campaign {key[:80]!r}.")
    return campaign


def campaign_page(session: Session, *, after: str | None) -> Page[Any]:
    """Campaigns, the newest first."""
    keys = (Campaign.created_at, Campaign.id)
    return keyset(session, select(Campaign), keys, after=after, descending=True)


def audience_members(
    session: Session,
    campaign: Campaign,
    viewer: Viewer,
    *,
    state: str,
    reason: str,
    after: str | None,
) -> Page[Any]:
    """The people behind a figure of the report, by name, within the viewer's wall."""
    groups: dict[str, tuple[MessageState, ...]] = {
        "sent": (MessageState.ACCEPTED,), "waiting": WAITING, "skipped": NOT_SENT,
    }  # fmt: skip
    statement = (
        select(Alumnus, Message.state, Message.reason, Message.not_before, Message.delivery)
        .join(Message, Message.alumnus_id == Alumnus.id)
        .where(Message.origin == origin(campaign), visible_alumni(viewer))
    )
    if state in groups:
        statement = statement.where(Message.state.in_(groups[state]))
    if reason:
        statement = statement.where(Message.reason == reason)
    return keyset(session, statement, (Alumnus.sort_key, Alumnus.id), after=after)


def variants(
    session: Session, campaign: Campaign
) -> tuple[ContentVersion | None, dict[str, ContentVariant]]:
    """The version in use (the newest until it is scheduled) and its texts by language."""
    statement = select(ContentVersion).where(ContentVersion.content_id == campaign.content_id)
    if campaign.version_id:
        statement = statement.where(ContentVersion.id == campaign.version_id)
    version = session.scalars(statement.order_by(ContentVersion.no.desc()).limit(1)).one_or_none()
    if version is None:
        return None, {}
    texts = select(ContentVariant).where(ContentVariant.version_id == version.id)
    return version, {v.language: v for v in session.scalars(texts)}


def due_campaigns(session: Session, at: datetime) -> list[str]:
    """Keys of the campaigns whose time has come, and of those that may be over."""
    due = (Campaign.state == CampaignState.SCHEDULED) & (Campaign.send_at <= at)
    statement = select(Campaign.key).where(due | (Campaign.state == CampaignState.SENDING))
    return list(session.scalars(statement.order_by(Campaign.send_at, Campaign.id)))


def content_name(session: Session, campaign: Campaign) -> str:
    """The key of the campaign's content."""
    return session.scalars(select(Content.key).where(Content.id == campaign.content_id)).one()


def campaigns_that_name(session: Session, piece: str) -> list[tuple[str, str]]:
    """(label, address) of the campaigns yet to go out whose audience names a piece of a query."""
    named = that_names(session, piece)
    ahead = [CampaignState.DRAFT, CampaignState.SCHEDULED]
    rows = session.execute(
        select(Campaign.key, Campaign.name, Campaign.query)
        .where(Campaign.state.in_(ahead))
        .order_by(Campaign.name, Campaign.key)
    )
    return [
        (gettext("the campaign %(name)s", name=row.name), f"/campaigns/{row.key}")
        for row in rows
        if named(row.query)
    ]
