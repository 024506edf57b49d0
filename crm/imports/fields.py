"""What imports add to the query language: who came with a file, and what became of their lines."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, select

from crm.alumni.models import Alumnus
from crm.core.extend import FieldMatch, QueryContext, QueryRows
from crm.imports.labels import FATES
from crm.imports.models import Fate, ImportLine, ImportRun
from crm.query.conditions import between
from crm.query.kinds import choice, date, in_range, in_time, is_key, number, text, words_of
from crm.query.rows import times

WORDS = {fate: label for fate, (label, _tone) in FATES.items()}
BROUGHT = (Fate.CREATE, Fate.UPDATE)


def _came(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    """A line of the import made or changed their record."""
    found = select(ImportLine.alumnus_id).where(
        between(ImportLine.import_id, match),
        ImportLine.fate.in_(BROUGHT),
        ImportLine.alumnus_id.is_not(None),
    )
    return Alumnus.id.in_(found)


FIELDS = (
    number("import", _("Came with import"), _came, _("came with import %(value)s"), "import:12"),
)
LINES = QueryRows(
    "imported", _("One line of a file"), _("stand in a line of a file"), ImportLine.alumnus_id, [
        number("import", _("Import"), in_range(ImportLine.import_id)),
        choice("fate", _("What became of it"), is_key(ImportLine.fate), choices=words_of(WORDS)),
        text("layout", _("Layout"), lambda match, context: ImportRun.layout == match.low),
        date("when", _("When"), in_time(ImportRun.applied_at)),
    ],
    belongs=lambda: (ImportRun.id == ImportLine.import_id, ImportLine.alumnus_id.is_not(None)),
    default="import", totals=(times(_("How many")),),
    example="imported(fate:create when:30d)",
)  # fmt: skip
