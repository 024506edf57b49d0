"""The layouts we know; add a file and name it here."""

from __future__ import annotations

from crm.imports.layout import Frame, Layout
from crm.imports.layouts.civicrm import CIVICRM
from crm.imports.layouts.clearinghouse import CLEARINGHOUSE
from crm.imports.layouts.infinite_campus import INFINITE_CAMPUS
from crm.imports.layouts.mailing_lists import ALUMNI360, LISTMONK
from crm.imports.layouts.oneroster import ONEROSTER
from crm.imports.layouts.powerschool import POWERSCHOOL
from crm.imports.layouts.raisers_edge import NXT, RAISERS_EDGE
from crm.imports.layouts.salesforce import EDA, NPSP
from crm.imports.layouts.spreadsheet import SPREADSHEET
from crm.imports.layouts.studenttracker import STUDENTTRACKER

LAYOUTS = {
    layout.key: layout
    for layout in (
        POWERSCHOOL, INFINITE_CAMPUS, ONEROSTER, CLEARINGHOUSE, STUDENTTRACKER, RAISERS_EDGE, NXT,
        NPSP, EDA, CIVICRM, ALUMNI360, LISTMONK, SPREADSHEET,
    )
}  # fmt: skip
FRAMES: dict[str, Frame] = {
    layout.frame.opens: layout.frame for layout in LAYOUTS.values() if layout.frame
}


def detect(titles: tuple[str, ...]) -> Layout:
    """The layout with most of its own columns in the file, cut names last; else a spreadsheet."""
    for cut in (False, True):
        scored = [(x.score(titles, cut=cut), x) for x in LAYOUTS.values() if x.signature]
        likely = [(score, layout) for score, layout in scored if score >= layout.needed]
        if likely:
            return max(likely, key=lambda pair: pair[0])[1]
    return SPREADSHEET
