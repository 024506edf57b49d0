"""What the web kit registers: headers, error pages, languages, CSRF, Bootstrap."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any

from flask import Flask
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFProtect

from crm.core import clock
from crm.core.application import current_settings
from crm.core.extend import NavEntry, extensions
from crm.web import assets, errors, headers, i18n, kept, tables, words

bootstrap = Bootstrap5()
csrf = CSRFProtect()


def init_app(app: Flask) -> None:
    """Register the web kit."""
    bootstrap.init_app(app)
    csrf.init_app(app)
    i18n.init_app(app)
    errors.init_app(app)
    assets.init_app(app)
    kept.init_app(app)
    tables.init_app(app)
    app.jinja_env.globals["settings_groups"] = settings_groups
    headers.init_app(app, secure=app.config["SETTINGS"].secure)

    @app.context_processor
    def page_words() -> dict[str, Any]:
        return {
            "settings": current_settings(),
            "now": _now,
            "navigation": navigation,
            "role_label": words.role_label,
            "district_name": words.district_name,
            "has_endpoint": words.has_endpoint,
            "language_choices": words.language_choices,
        }


def _now() -> datetime:
    return clock.now()


def settings_groups(viewer: Any) -> list[tuple[str, list[NavEntry]]]:
    """The pages of settings that this viewer may open, in order, as (group, pages)."""
    return _grouped(extensions().settings_pages, viewer)


def _grouped(entries: list[NavEntry], viewer: Any) -> list[tuple[str, list[NavEntry]]]:
    seen = [one for one in sorted(entries, key=lambda one: one.order) if viewer.may(one.permission)]
    return [(group, [*inside]) for group, inside in groupby(seen, key=lambda one: str(one.group))]


def navigation(viewer: Any) -> list[tuple[str, list[NavEntry]]]:
    """The navigation entries this viewer may open, in order, as (group, entries).

    What stands alone, or would be the only one of its group, has the group "".
    """
    groups = _grouped(extensions().navigation, viewer)
    return [(group if len(inside) > 1 else "", inside) for group, inside in groups]
