"""What other areas show of a person: blocks that say in a line what they hold while folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import current_app
from markupsafe import Markup

from crm.alumni.models import Alumnus
from crm.core.extend import Panel, extensions
from crm.core.viewer import Viewer


@dataclass(frozen=True)
class Block:
    """One block: `now` is what it says while it is folded; `aside` folds it on a desk, too."""

    key: str
    title: str
    now: str
    aside: bool
    body: Markup


def blocks_of(viewer: Viewer, person: Alumnus, at: datetime) -> list[Block]:
    """The blocks of all areas that have something to show of a person, in order."""
    known = extensions()
    loaded = known.panels(known.alumnus_panels, viewer, person, at)
    return [_block(panel, {"alumnus": person, **values}) for panel, values in loaded]


def _block(panel: Panel, values: Mapping[str, Any]) -> Block:
    """A panel's template sets `title`, and if it has them `now` and `aside`."""
    context = dict(values)
    current_app.update_template_context(context)
    made = current_app.jinja_env.get_template(panel.template).make_module(context)
    said = vars(made)
    return Block(
        panel.key, str(said["title"]), str(said.get("now", "")).strip(),
        bool(said.get("aside", False)), Markup(str(made)),  # noqa: S704 - made by our own templates
    )  # fmt: skip
