"""What every page says: the viewer's role, the district's name, the languages to choose from."""

from __future__ import annotations

from email.utils import parseaddr
from urllib.parse import urlencode

from flask import current_app, request
from flask_babel import get_locale
from flask_babel import lazy_gettext as _

from crm.core.application import current_settings
from crm.core.viewer import Role
from crm.web.i18n import languages

ROLE_LABELS = {
    Role.COORDINATOR: _("District coordinator"),
    Role.LIAISON: _("Cluster liaison"),
    Role.SCHOOL: _("School staff"),
    Role.VIEWER: _("Viewer"),
}


def role_label(role: Role) -> str:
    """The role in the reader's language."""
    return str(ROLE_LABELS[role])


def district_name() -> str:
    """Whose pages these are: the name that readers see as the sender of our mail."""
    return parseaddr(current_settings().mail_from)[0] or "Homecoming"


def has_endpoint(endpoint: str) -> bool:
    """Whether some registered area answers this endpoint."""
    return endpoint in current_app.view_functions


def language_choices() -> list[tuple[str, str, str, bool]]:
    """(code, own name, address of this page in it, whether it is the present one)."""
    present = str(get_locale() or "en")
    others = [(k, v) for k, v in request.args.items(multi=True) if k != "lang"]
    return [
        (code, name, "?" + urlencode([*others, ("lang", code)]), code == present)
        for code, name in languages().items()
    ]
