"""What the asks area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.core.extend import Deed, FieldKind, Panel, Personal, QueryField, extensions
from segments.asks import (
    gates,
    models,  # noqa: F401 - tables
    panel,
)
from segments.asks.cli import asks
from segments.asks.history import KIND, forget_asks
from segments.asks.letters import ASK_LINK
from segments.asks.models import AskState
from segments.asks.routes import bp
from segments.asks.service import call_off
from segments.requests.extend import request_extensions

FIELDS = (
    QueryField("asked", _("Asked for help"), FieldKind.DATE, gates.was_asked, example="asked:90d"),
    QueryField(
        "answered", _("Answered an ask"), FieldKind.CHOICE, gates.has_answered,
        choices=lambda session: {str(state): panel.STATES[state] for state in AskState},
        example="answered:accepted",
    ),
    QueryField("helped", _("Gave time"), FieldKind.DATE, gates.has_helped, example="helped:1y"),
)  # fmt: skip


def init_app(app: Flask) -> None:
    """Register routes, commands, the send gate, what a school may see, and the panel."""
    app.register_blueprint(bp)
    app.cli.add_command(asks)
    known = extensions(app)
    known.query_fields.extend(FIELDS)
    known.merge_fields[ASK_LINK.key] = ASK_LINK
    known.send_gates[gates.PREFIX] = gates.still_to_ask
    known.contact_grants.append(gates.promised_to)
    known.why.append(panel.why)
    known.undoers[KIND] = forget_asks
    known.personal |= {
        "ask": Personal(Deed.EMPTIED, values="note = '', reasons = '[]'"),
        "commitment": Personal(Deed.EMPTIED, values="feedback = ''"),
    }
    known.alumnus_panels.append(
        Panel("asks", "segments/asks/_panel.html", order=40, load=panel.load)
    )
    request_extensions(app).cancelled.append(call_off)
