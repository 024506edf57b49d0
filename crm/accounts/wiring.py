"""What the accounts area registers with the app."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

from crm.accounts import (
    checks,
    cli,
    factor_routes,  # noqa: F401 - routes
    looks,
    models,  # noqa: F401 - tables
    oidc_routes,  # noqa: F401 - routes
    probes,
    queries,
    roles_routes,  # noqa: F401 - routes
    routes,
    sessions,
    settings_routes,  # noqa: F401 - routes
    trail_routes,  # noqa: F401 - routes
)
from crm.core.extend import NavEntry, extensions
from crm.core.viewer import Permission


def init_app(app: Flask) -> None:
    """Register sessions, routes and commands."""
    sessions.init_app(app)
    looks.init_app(app)
    app.register_blueprint(routes.bp)
    app.register_blueprint(probes.bp)
    app.cli.add_command(cli.users)
    registry = extensions(app)
    registry.navigation.append(
        NavEntry("accounts.settings", _("Settings"), "gear", 900, Permission.HOME)
    )
    registry.settings_pages += [
        NavEntry("accounts.settings", _("My account"), "person", 0, Permission.HOME,
                 _("My account")),
        NavEntry("accounts.installation", _("Installation"), "hdd", 10, Permission.SETTINGS,
                 _("District")),
        NavEntry("accounts.users", _("Staff accounts"), "people", 40, Permission.SETTINGS,
                 _("Access")),
        NavEntry("accounts.roles", _("Roles"), "key", 42, Permission.SETTINGS, _("Access")),
        NavEntry("accounts.audit", _("Audit trail"), "journal", 44, Permission.AUDIT,
                 _("Access")),
    ]  # fmt: skip
    registry.object_names["user"] = queries.user_names
    registry.object_names["role"] = queries.role_names
    registry.checks.append(checks.coordinators_without_factor)
