"""Reads for campaigns: lists, the report that adds up (law 4), the people behind each figure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask_babel import gettext
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from crm.core.errors import NotFound
from crm.core.viewer import Viewer
from crm.mail import figures
from crm.mail.figures import Report
from crm.mail.models import Content, ContentVariant, ContentVersion
from crm.query.naming import that_names
from crm.web.paging import Page, keyset
from lifecycle.campaigns.models import Campaign, CampaignState


def origin(campaign: Campaign) -> str:
    """What the campaign's messages say of where they come from."""
    return f"campaign:{campaign.key}"


def report(session: Session, campaign: Campaign) -> Report:
    """The campaign's report, in one pass over its messages."""
    reports = reports_of(session, [campaign])
    return reports[campaign.key]


def reports_of(session: Session, campaigns: list[Campaign]) -> dict[str, Report]:
    """Reports of several campaigns by key, in one statement."""
    found = figures.reports_of(session, {origin(c): c.audience or 0 for c in campaigns})
    return {c.key: found[origin(c)] for c in campaigns}


def load_campaign(session: Session, key: str, *, lock: bool = False) -> Campaign:
    """The campaign of a key; `NotFound` otherwise."""
    statement = select(Campaign).where(Campaign.key == key)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    campaign = session.scalars(statement).one_or_none()
    if campaign is None:
        raise NotFound("There is no campaign “%(key)s”.", key=key[:80])
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
    return figures.addressees(
        session, origin(campaign), viewer, state=state, reason=reason, after=after
    )


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
    statement = select(Campaign.key).where(campaigns_due(at))
    return list(session.scalars(statement.order_by(Campaign.send_at, Campaign.id)))


def campaigns_due(at: Any) -> ColumnElement[bool]:
    """Whether a campaign's time has come, or it may be over."""
    due = and_(Campaign.state == CampaignState.SCHEDULED, Campaign.send_at <= at)
    return or_(due, Campaign.state == CampaignState.SENDING)


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
