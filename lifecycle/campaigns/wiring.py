"""What the campaigns area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import NavEntry, Panel, extensions
from crm.core.keys import names_by
from crm.core.viewer import Permission
from lifecycle.campaigns import cards, queries
from lifecycle.campaigns.cli import campaigns
from lifecycle.campaigns.fields import FIELDS, MAILED_BY
from lifecycle.campaigns.models import Campaign
from lifecycle.campaigns.routes import bp


def init_app(app: Flask) -> None:
    """Register routes, commands and extension points."""
    app.register_blueprint(bp)
    app.cli.add_command(campaigns)
    registry = extensions(app)
    registry.object_names["campaign"] = names_by(Campaign.key, Campaign.name)
    registry.navigation.append(
        NavEntry("campaigns.index", _("Campaigns"), "envelope", 40, Permission.CAMPAIGNS_VIEW)
    )
    registry.home_cards.append(
        Panel("sends", "lifecycle/campaigns/_sends.html", 30, cards.recent_sends)
    )
    registry.todo.append(cards.to_do)
    registry.first_steps.append(cards.first_step)
    registry.query_users.append(queries.campaigns_that_name)
    registry.query_fields.extend(FIELDS)
    registry.query_rows["mail"].fields.append(MAILED_BY)
