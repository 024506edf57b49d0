"""What the mail area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.alumni.cli import people
from crm.core.extend import NavEntry, Panel, PeriodicJob, extensions
from crm.core.viewer import Permission
from crm.mail import cli, finding, history, hours_routes, routes, upkeep  # noqa: F401
from crm.web.wiring import csrf


def init_app(app: Flask) -> None:
    """Register pages, the hooks, commands, jobs and what mail tells about itself."""
    # The provider signs its posts instead of carrying our token.
    csrf.exempt(routes.sendgrid_events)
    csrf.exempt(routes.sendgrid_inbound)
    app.register_blueprint(routes.bp)
    app.cli.add_command(cli.mail)
    people.add_command(cli.why_mail)
    registry = extensions(app)
    if app.config["SETTINGS"].mail == "mailbox":
        registry.navigation.append(
            NavEntry("mail.index", _("Mailbox"), "inbox", 850, Permission.MAILBOX)
        )
    registry.settings_pages.append(
        NavEntry("mail.hours", _("Sending hours"), "clock", 24, Permission.SETTINGS, _("Mail"))
    )
    registry.jobs.append(PeriodicJob("mail.deliver", 30, upkeep.deliver_due))
    registry.jobs.append(PeriodicJob("mail.reconcile", 60, upkeep.settle))
    registry.query_fields.extend(finding.FIELDS)
    registry.add_rows(finding.MAIL)
    registry.checks.append(upkeep.checks)
    registry.metrics.append(upkeep.metrics)
    registry.why.append(history.why)
    registry.todo.append(upkeep.to_do)
    registry.alumnus_panels.append(
        Panel("why-mail", "crm/mail/_why_panel.html", 39, upkeep.why_panel)
    )
    registry.references["message"] = history.letters_named
    registry.alumnus_panels.append(Panel("mail", "crm/mail/_panel.html", 50, upkeep.panel))
