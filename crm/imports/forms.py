"""What the pages of imports send."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, Length

from crm.core.errors import Invalid
from crm.imports.mapping import MEANINGS, Directions
from crm.imports.models import CustomKind, ImportRun
from crm.imports.targets import is_target
from crm.imports.uploads import asked_of
from crm.web.forms import Form

AS_LAYOUT = ""
CUSTOM, CUSTOM_TARGETING = "custom", "custom!"
_NAME = re.compile(r"[^a-z0-9]+")


class UploadForm(Form):
    """One file."""

    file = FileField(
        _("File (.csv, .tsv, .txt, .xlsx, or a OneRoster .zip)"), validators=[FileRequired()]
    )


class MappingForm(Form):
    """The name under which a way of reading files is remembered."""

    sender = StringField(_("Who sends such files"), validators=[DataRequired(), Length(max=80)])


class FieldForm(Form):
    """What a custom field is called and whether the model of yeses looks at it."""

    label = StringField(_("Name"), validators=[DataRequired(), Length(max=80)])
    targeting = BooleanField(_("Use for targeting"))


def custom_target(
    title: str, index: int, *, name: str = "", kind: str = "", targeting: bool = False
) -> str:
    """The custom field that a column becomes: by the name given, else its title as a name."""
    plain = _NAME.sub("_", (name or title).lower()).strip("_")[:40].strip("_")
    if not plain or not plain[0].isalpha():
        plain = f"column_{index + 1}"
    kind = f":{kind}" if kind in set(CustomKind) else ""
    return f"custom.{plain}{kind}{'!' if targeting else ''}"


def directions_from(form: Mapping[str, str], titles: list[str]) -> dict[str, str]:
    """Column → target from `column-0`, `name-0`, `kind-0`, `targeting-0`, `column-1`, ….

    Only columns for which something was chosen.
    """
    found = {}
    for index, title in enumerate(titles):
        word = form.get(f"column-{index}", AS_LAYOUT).strip()
        if word in (CUSTOM, CUSTOM_TARGETING):
            word = custom_target(
                title, index, name=form.get(f"name-{index}", "").strip(),
                kind=form.get(f"kind-{index}", ""),
                targeting=word == CUSTOM_TARGETING or bool(form.get(f"targeting-{index}")),
            )  # fmt: skip
        if word == AS_LAYOUT:
            continue
        if not is_target(word):
            raise Invalid(
                "“%(title)s”: choose one of the meanings in the list.", field="mapping", title=title
            )
        found[title] = word
    return found


def meanings_from(
    form: Mapping[str, str], run: ImportRun, schools: Mapping[int, str]
) -> Directions:
    """What the reader says of schools (`school-0`, …) and statuses (`status-0`, …) we did not know.

    Added to what was asked before; `schools`: id → what the school is surely called.
    """
    asked = asked_of(run)
    named, statuses = dict(asked.schools), dict(asked.values.get("status", {}))
    for index, text in enumerate(sorted(run.mapping.get("unknown_schools", {}))):
        chosen = form.get(f"school-{index}", "")
        if chosen.isdecimal() and int(chosen) in schools:
            named[text] = schools[int(chosen)]
    for index, text in enumerate(sorted(run.mapping.get("unknown_statuses", {}))):
        if (meaning := form.get(f"status-{index}", "")) in MEANINGS:
            statuses[text] = meaning
    values = {**asked.values, **({"status": statuses} if statuses else {})}
    return replace(asked, schools=named, values=values)
