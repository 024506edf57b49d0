"""What the asks area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import Deed, NavEntry, Panel, Personal, ReportEntry, extensions
from crm.core.viewer import Permission
from segments.asks import (
    care_routes,  # noqa: F401 - its settings page
    gates,
    models,  # noqa: F401 - tables
    panel,
    report_routes,
)
from segments.asks.cli import asks
from segments.asks.fields import ASKS, FIELDS, PROMISES
from segments.asks.history import KIND, forget_asks
from segments.asks.letters import ASK_LINK
from segments.asks.queries import VISIT_ENDS
from segments.asks.routes import bp
from segments.asks.service import call_off
from segments.requests.extend import request_extensions


def init_app(app: Flask) -> None:
    """Register routes, commands, the send gate, what a school may see, and the panel."""
    app.register_blueprint(bp)
    app.register_blueprint(report_routes.bp)
    app.cli.add_command(asks)
    known = extensions(app)
    known.reports.append(
        ReportEntry(
            "load.page", _("Load, fairness and lift"),
            _("How asks fall on people, and whether ranking finds more yeses than chance."), 10,
            Permission.REQUESTS_VIEW,
        )
    )  # fmt: skip
    known.settings_pages.append(
        NavEntry(
            "asks.care", _("How often we ask"), "hourglass", 18, Permission.SETTINGS.value,
            _("District"),
        )
    )  # fmt: skip
    known.query_fields.extend(FIELDS)
    known.add_rows(ASKS, PROMISES)
    known.merge_fields[ASK_LINK.key] = ASK_LINK
    known.send_gates[gates.PREFIX] = gates.still_to_ask
    known.contact_grants.append(gates.promised_to)
    known.why.append(panel.why)
    known.undoers[KIND] = forget_asks
    known.personal |= {
        "ask_limit": Personal(Deed.DELETED),
        "ask": Personal(Deed.EMPTIED, values="note = '', reasons = '[]'"),
        "commitment": Personal(Deed.EMPTIED, values="feedback = ''"),
    }
    known.alumnus_panels.append(
        Panel("asks", "segments/asks/_panel.html", order=40, load=panel.load)
    )
    requests = request_extensions(app)
    requests.cancelled.append(call_off)
    requests.visit_ends = VISIT_ENDS
