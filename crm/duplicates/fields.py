"""What duplicates add to the query language: who may be twice here, and whose records were."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, exists, or_

from crm.alumni.models import Alumnus
from crm.core.extend import FieldMatch, QueryContext
from crm.duplicates.models import DuplicatePair, Merge, PairState
from crm.query.kinds import flag, number


def in_pair(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Is one of two records that wait for a decision; each side has an index of its own."""
    waits = DuplicatePair.state == PairState.OPEN, *conditions
    return or_(
        exists().where(DuplicatePair.first_id == Alumnus.id, *waits),
        exists().where(DuplicatePair.second_id == Alumnus.id, *waits),
    )


def _likely(match: FieldMatch, context: QueryContext) -> ColumnElement[bool]:
    low = [DuplicatePair.probability >= match.low / 100] if match.low is not None else []
    high = [DuplicatePair.probability <= match.high / 100] if match.high is not None else []
    return in_pair(*low, *high)


def _merged() -> ColumnElement[bool]:
    return exists().where(Merge.kept_id == Alumnus.id, Merge.undone_at.is_(None))


FIELDS = (
    flag("is:duplicate", _("May be twice here"), in_pair, _("may be twice here")),
    number("duplicate", _("May be twice here, chance in percent"), _likely,
           _("may be twice here, with a chance in percent of %(value)s"), "duplicate:80.."),
    flag("has:merged", _("Another record became part of theirs"), _merged,
         _("have a record that another became part of")),
)  # fmt: skip
