"""The layouts we know; add a file and name it here."""

from __future__ import annotations

from crm.imports.layout import Layout
from crm.imports.layouts.infinite_campus import INFINITE_CAMPUS
from crm.imports.layouts.powerschool import POWERSCHOOL
from crm.imports.layouts.spreadsheet import SPREADSHEET

LAYOUTS = {layout.key: layout for layout in (POWERSCHOOL, INFINITE_CAMPUS, SPREADSHEET)}


def detect(titles: tuple[str, ...]) -> Layout:
    """The layout with most of its own columns in the file; a spreadsheet if none has enough."""
    scored = [(layout.score(titles), layout) for layout in LAYOUTS.values() if layout.signature]
    likely = [(score, layout) for score, layout in scored if score >= layout.needed]
    return max(likely, key=lambda pair: pair[0])[1] if likely else SPREADSHEET
