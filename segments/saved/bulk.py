"""Putting many people into a frozen segment, or taking them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import delete, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from crm.alumni.models import Alumnus
from crm.core.bulk import BulkAction, BulkLook, BulkWork
from crm.core.database import among, id_array
from crm.core.errors import Conflict, NotAllowed
from crm.core.viewer import Role, Viewer
from crm.web.forms import Form
from segments.saved.models import Segment, SegmentKind, SegmentMember
from segments.saved.queries import load_segment
from segments.saved.service import may_change

MOST = 500


class SegmentChoice(Form):
    """Which frozen segment."""

    key = SelectField(_("Frozen segment"), validators=[InputRequired()])

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        return {"key": self.key.data}


def _form(session: Session, viewer: Viewer) -> SegmentChoice:
    """Those that the viewer may change; the newest ones if there are very many."""
    frozen = select(Segment.key, Segment.name).where(Segment.kind == SegmentKind.FROZEN)
    if viewer.role is not Role.COORDINATOR:
        frozen = frozen.where(Segment.created_by == viewer.user_id)
    form = SegmentChoice()
    rows = session.execute(frozen.order_by(Segment.id.desc()).limit(MOST))
    form.key.choices = [SelectChoice(key, name) for key, name in rows]
    return form


def _segment(work: BulkWork) -> Segment:
    """The segment, locked against thawing; raises what makes it impossible."""
    segment = load_segment(work.session, work.options["key"])
    work.session.refresh(segment, with_for_update={"read": True})
    if not may_change(work.viewer, segment):
        raise NotAllowed("Only its author or a district coordinator may change this segment.")
    if segment.kind is not SegmentKind.FROZEN:
        raise Conflict("This segment follows its query: only a frozen one keeps its own people.")
    return segment


def _look(*, inside: bool) -> Any:
    def look(work: BulkWork) -> BulkLook:
        segment = _segment(work)
        member = exists().where(
            SegmentMember.segment_id == segment.id, SegmentMember.alumnus_id == Alumnus.id
        )
        same = member if inside else ~member
        return BulkLook(func.to_jsonb(member), func.to_jsonb(literal(inside)), same)

    return look


def _add(work: BulkWork, ids: Sequence[int]) -> None:
    people = select(literal(_segment(work).id), func.unnest(id_array(ids)))
    new = insert(SegmentMember).from_select(["segment_id", "alumnus_id"], people)
    work.session.execute(new.on_conflict_do_nothing())


def _remove(work: BulkWork, ids: Sequence[int]) -> None:
    mine = SegmentMember.segment_id == _segment(work).id, among(SegmentMember.alumnus_id, ids)
    gone = delete(SegmentMember).where(*mine)
    work.session.execute(gone, execution_options={"synchronize_session": False})


def _named(add: bool) -> Any:
    def said(session: Session, options: Mapping[str, Any]) -> str:
        name = load_segment(session, options["key"]).name
        if add:
            return gettext("Add to the segment “%(name)s”", name=name)
        return gettext("Remove from the segment “%(name)s”", name=name)

    return said


def _shown(options: Mapping[str, Any], value: Any) -> Any:
    return _("inside") if value else _("outside")


ADD = BulkAction(
    "segment_add", _("Add to a frozen segment"), 80, _form, _named(add=True), _look(inside=True),
    _add, _remove, _shown, touches=False,
)  # fmt: skip
REMOVE = BulkAction(
    "segment_remove", _("Remove from a frozen segment"), 81, _form, _named(add=False),
    _look(inside=False), _remove, _add, _shown, touches=False,
)  # fmt: skip
