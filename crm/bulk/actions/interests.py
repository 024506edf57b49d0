"""Setting and clearing a way to help or a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import Table, case, delete, func, literal, null, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session
from wtforms import RadioField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from crm.alumni.models import Alumnus, Interest, InterestKind, Subject, Way
from crm.alumni.people import interest_choices
from crm.bulk.actions.facts import CLEAR, DOING, SET
from crm.core.bulk import BulkAction, BulkLook, BulkWork
from crm.core.database import among, id_array
from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from crm.web.forms import Form

DECEASED = "deceased"
HELD: Any = Interest.__table__.alias("held")


class InterestForm(Form):
    """Which one, and whether it is set or cleared."""

    key = SelectField(_("Which"), validators=[InputRequired()])
    doing = RadioField(_("What to do"), choices=DOING, default=SET)

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        return {"key": self.key.data, "doing": self.doing.data}


def action(kind: InterestKind, label: Any, order: int) -> BulkAction:
    """The action on one kind of interest."""
    table: type[Way] | type[Subject] = Way if kind is InterestKind.WAY else Subject

    def form(session: Session, viewer: Viewer) -> InterestForm:
        found = InterestForm()
        found.key.choices = [
            SelectChoice(key, gettext(label)) for key, label in interest_choices(session, kind)
        ]
        return found

    def said(session: Session, options: Mapping[str, Any]) -> str:
        label = session.scalar(select(table.label).where(table.key == options["key"]))
        name = gettext(label) if label else options["key"]
        if options["doing"] == CLEAR:
            return gettext("Clear “%(name)s”", name=name)
        return gettext("Set “%(name)s”", name=name)

    def look(work: BulkWork) -> BulkLook:
        if work.session.get(table, work.options["key"]) is None:
            raise Invalid("There is no such interest.", field="key")
        return _look(kind, work.options["key"], clear=work.options["doing"] == CLEAR)

    return BulkAction(
        kind.value, label, order, form, said, look,
        lambda work, ids: _write(kind, work, ids), lambda work, ids: _back(kind, work, ids),
        lambda options, value: _("yes") if value else _("no"),
    )  # fmt: skip


def _look(kind: InterestKind, key: str, *, clear: bool) -> BulkLook:
    row = select(func.to_jsonb(HELD.table_valued(), type_=JSONB)).where(
        HELD.c.alumnus_id == Alumnus.id, HELD.c.kind == kind.value, HELD.c.key == key
    )
    now = row.correlate(Alumnus).scalar_subquery()
    if clear:
        return BulkLook(now, null(), now.is_(None))
    dead = case((Alumnus.deceased, DECEASED), else_=None)
    return BulkLook(now, func.to_jsonb(literal(True)), now.is_not(None), dead)


def _write(kind: InterestKind, work: BulkWork, ids: Sequence[int]) -> None:
    mine = Interest.kind == kind, Interest.key == work.options["key"]
    if work.options["doing"] == CLEAR:
        gone = delete(Interest).where(among(Interest.alumnus_id, ids), *mine)
        work.session.execute(gone, execution_options={"synchronize_session": False})
        return
    columns = {
        "kind": kind, "key": work.options["key"], "source": f"bulk:{work.run_id}", "since": work.at,
    }  # fmt: skip
    rows = select(
        func.unnest(id_array(ids)),
        *(literal(value, getattr(Interest, name).type) for name, value in columns.items()),
    )
    new = insert(_table()).from_select(["alumnus_id", *columns], rows)
    work.session.execute(new.on_conflict_do_nothing())


def _table() -> Table:
    table = Interest.__table__
    if not isinstance(table, Table):
        raise TypeError("interests are no table")
    return table


def _back(kind: InterestKind, work: BulkWork, ids: Sequence[int]) -> None:
    """Take the row that was made out, or put the one that was there back, number and all."""
    if work.options["doing"] == SET:
        mine = Interest.kind == kind, Interest.key == work.options["key"]
        gone = delete(Interest).where(among(Interest.alumnus_id, ids), *mine)
        work.session.execute(gone, execution_options={"synchronize_session": False})
        return
    work.session.execute(
        text(
            """insert into interest select r.* from bulk_line l,
                jsonb_populate_record(null::interest, l.before) r
            where l.run_id = :run and l.alumnus_id = any(:ids)"""
        ),
        {"run": work.run_id, "ids": list(ids)},
    )


WAY = action(InterestKind.WAY, _("Set or clear a way to help"), 10)
SUBJECT = action(InterestKind.SUBJECT, _("Set or clear a subject"), 20)
