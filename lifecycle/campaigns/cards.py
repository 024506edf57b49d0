"""What campaigns show on the home page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.core.extend import FirstStep, Todo
from crm.core.viewer import Permission, Viewer
from lifecycle.campaigns import queries
from lifecycle.campaigns.models import Campaign, CampaignState

RECENT = 5


def recent_sends(viewer: Viewer, at: datetime) -> Mapping[str, Any] | None:
    """The latest campaigns that went out, each with its report."""
    if not viewer.may(Permission.CAMPAIGNS_VIEW):
        return None
    gone = [CampaignState.SENDING, CampaignState.SENT, CampaignState.STOPPED]
    statement = select(Campaign).where(Campaign.state.in_(gone), Campaign.started_at <= at)
    latest = list(db.session.scalars(statement.order_by(Campaign.started_at.desc()).limit(RECENT)))
    if not latest:
        return None
    return {"campaigns": latest, "reports": queries.reports_of(db.session(), latest)}


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Drafts that wait for somebody."""
    if not viewer.may(Permission.CAMPAIGNS_EDIT):
        return
    drafts = select(func.count()).select_from(Campaign).where(Campaign.state == CampaignState.DRAFT)
    count = session.scalars(drafts).one()
    label = ngettext("campaign draft to finish", "campaign drafts to finish", count)
    yield Todo(label, count, url_for("campaigns.index"), "quiet", 60)


def first_step(session: Session, viewer: Viewer) -> Iterable[FirstStep]:
    """Sending a first campaign."""
    if not viewer.may(Permission.CAMPAIGNS_EDIT):
        return
    yield FirstStep(
        label=_("Send your first letter"),
        text=_("Choose who should hear from you, write it, look at it as one of them, and send."),
        href=url_for("campaigns.new"),
        done=bool(session.scalar(select(exists().where(Campaign.started_at.is_not(None))))),
        order=40,
    )
