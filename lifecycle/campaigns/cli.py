"""`campaigns list`, `campaigns send KEY`, `campaigns report KEY`."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import select

from crm.core import clock
from crm.core.cli import reporting
from crm.core.database import db
from crm.core.viewer import SYSTEM
from lifecycle.campaigns import queries, service
from lifecycle.campaigns.models import Campaign, CampaignState

campaigns = AppGroup("campaigns", help="Mailings to one audience.")


@campaigns.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@reporting
def list_campaigns(limit: int) -> dict[str, Any]:
    """The newest campaigns and where their audiences ended up."""
    newest = select(Campaign).order_by(Campaign.created_at.desc(), Campaign.id.desc()).limit(limit)
    found = list(db.session.scalars(newest))
    reports = queries.reports_of(db.session(), found)
    rows = [
        {"key": c.key, "name": c.name, "state": c.state.value, **reports[c.key].to_json()}
        for c in found
    ]
    return {"count": len(rows), "campaigns": rows}


@campaigns.command("send")
@click.argument("key")
@reporting
def send(key: str) -> dict[str, Any]:
    """Start a draft or scheduled campaign now; `mail deliver` or the worker hands it over."""
    session, at = db.session(), clock.now()
    campaign = queries.load_campaign(session, key, lock=True)
    if campaign.state is CampaignState.DRAFT:
        service.schedule(session, campaign, send_at=at, by=SYSTEM, at=at)
    service.start(session, campaign, at=at)
    session.commit()
    return {
        "key": key,
        "state": campaign.state.value,
        **queries.report(session, campaign).to_json(),
    }


@campaigns.command("report")
@click.argument("key")
@reporting
def report(key: str) -> dict[str, Any]:
    """Sent, skipped by reason and waiting: together the audience."""
    campaign = queries.load_campaign(db.session(), key)
    found = queries.report(db.session(), campaign)
    return {"key": key, "state": campaign.state.value, **found.to_json()}
