"""What the pages of imports send."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired

from crm.core.errors import Invalid
from crm.imports.targets import is_target
from crm.web.forms import Form

AS_LAYOUT = ""
CUSTOM, CUSTOM_TARGETING = "custom", "custom!"
_NAME = re.compile(r"[^a-z0-9]+")


class UploadForm(Form):
    """One file."""

    file = FileField(_("File (.csv, .tsv, .txt or .xlsx)"), validators=[FileRequired()])


def custom_target(title: str, index: int, *, targeting: bool) -> str:
    """The custom field that a column becomes: its title as a name."""
    name = _NAME.sub("_", title.lower()).strip("_")[:40].strip("_")
    if not name or not name[0].isalpha():
        name = f"column_{index + 1}"
    return f"custom.{name}{'!' if targeting else ''}"


def directions_from(form: Mapping[str, str], titles: list[str]) -> dict[str, str]:
    """Column → target from the selects `column-0`, `column-1`, …, where one was chosen."""
    found = {}
    for index, title in enumerate(titles):
        word = form.get(f"column-{index}", AS_LAYOUT).strip()
        if word in (CUSTOM, CUSTOM_TARGETING):
            word = custom_target(title, index, targeting=word == CUSTOM_TARGETING)
        if word == AS_LAYOUT:
            continue
        if not is_target(word):
            raise Invalid(f"“{title}”: choose one of the meanings in the list.", field="mapping")
        found[title] = word
    return found
