"""Setting and clearing facts of a record: its language, a custom field, “do not contact”."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from sqlalchemy import Text, cast, func, literal, null, select, text, true, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session
from wtforms import RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from crm.alumni.models import Alumnus
from crm.core.bulk import BulkAction, BulkLook, BulkWork
from crm.core.database import among
from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from crm.imports.models import CustomField
from crm.web.forms import Form
from crm.web.i18n import CONTENT_LANGUAGES

SET, CLEAR = "set", "clear"
DOING = (SelectChoice(SET, _("set it")), SelectChoice(CLEAR, _("clear it")))
MAX_VALUE = 500


class LanguageForm(Form):
    """Which language."""

    language = SelectField(_("Language"), validators=[InputRequired()])

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        return {"language": self.language.data}


def _language_form(session: Session, viewer: Viewer) -> LanguageForm:
    form = LanguageForm()
    form.language.choices = [SelectChoice(code, name) for code, name in CONTENT_LANGUAGES.items()]
    return form


def _language_named(session: Session, options: Mapping[str, Any]) -> str:
    return gettext("Set the language to %(name)s", name=CONTENT_LANGUAGES[options["language"]])


def _language_look(work: BulkWork) -> BulkLook:
    wanted = work.options["language"]
    if wanted not in CONTENT_LANGUAGES:
        raise Invalid("Choose one of the languages.", field="language")
    return BulkLook(
        func.to_jsonb(Alumnus.language), func.to_jsonb(cast(wanted, Text)),
        Alumnus.language == wanted,
    )  # fmt: skip


def _language_write(work: BulkWork, ids: Sequence[int]) -> None:
    statement = update(Alumnus).where(among(Alumnus.id, ids))
    work.session.execute(statement.values(language=work.options["language"]), **PLAIN)


def _language_back(work: BulkWork, ids: Sequence[int]) -> None:
    work.session.execute(
        text(
            """update alumnus a set language = l.before #>> '{}' from bulk_line l
            where l.run_id = :run and l.alumnus_id = any(:ids) and a.id = l.alumnus_id"""
        ),
        {"run": work.run_id, "ids": list(ids)},
    )


PLAIN: dict[str, Any] = {"execution_options": {"synchronize_session": False}}
LANGUAGE = BulkAction(
    "language", _("Set the language"), 40, _language_form, _language_named, _language_look,
    _language_write, _language_back,
    lambda options, value: CONTENT_LANGUAGES.get(value, value or "–"),
)  # fmt: skip


class CustomForm(Form):
    """Which field becomes what."""

    key = SelectField(_("Field"), validators=[InputRequired()])
    doing = RadioField(_("What to do"), choices=DOING, default=SET)
    value = StringField(_("Value"), validators=[Length(max=MAX_VALUE)])

    def options(self) -> dict[str, Any]:
        """What was chosen."""
        value = self.value.data or "" if self.doing.data == SET else None
        return {"key": self.key.data, "value": value}

    def validate(self, *args: Any, **options: Any) -> bool:
        """A value is needed to set one."""
        fine = bool(super().validate(*args, **options))
        if self.doing.data == SET and not self.value.data:
            self.value.errors = [*self.value.errors, gettext("Write a value, or clear the field.")]
            return False
        return fine


def _custom_form(session: Session, viewer: Viewer) -> CustomForm:
    form = CustomForm()
    known = session.execute(select(CustomField.key, CustomField.label).order_by(CustomField.label))
    form.key.choices = [SelectChoice(key, label or key) for key, label in known]
    return form


def _custom_named(session: Session, options: Mapping[str, Any]) -> str:
    field = session.get(CustomField, options["key"])
    name = field.label if field and field.label else options["key"]
    if options["value"] is None:
        return gettext("Clear the field “%(name)s”", name=name)
    return gettext("Set the field “%(name)s” to “%(value)s”", name=name, value=options["value"])


def _custom_look(work: BulkWork) -> BulkLook:
    key, value = work.options["key"], work.options["value"]
    if work.session.get(CustomField, key) is None:
        raise Invalid("There is no such custom field.", field="key")
    now = func.jsonb_extract_path(Alumnus.custom, key, type_=JSONB)
    if value is None:
        return BulkLook(now, null(), now.is_(None))
    goal = func.to_jsonb(cast(value, Text), type_=JSONB)
    return BulkLook(now, goal, now.is_not_distinct_from(goal))


def _custom_write(work: BulkWork, ids: Sequence[int]) -> None:
    key, value = work.options["key"], work.options["value"]
    if value is None:
        custom = Alumnus.custom.op("-")(cast(key, Text))
    else:
        custom = Alumnus.custom.op("||")(
            func.jsonb_build_object(cast(key, Text), cast(value, Text))
        )
    statement = update(Alumnus).where(among(Alumnus.id, ids)).values(custom=custom)
    work.session.execute(statement, **PLAIN)


def _custom_back(work: BulkWork, ids: Sequence[int]) -> None:
    work.session.execute(
        text(
            """update alumnus a set custom = case
                when l.before is null then a.custom - cast(:key as text)
                else a.custom || jsonb_build_object(cast(:key as text), l.before) end
            from bulk_line l
            where l.run_id = :run and l.alumnus_id = any(:ids) and a.id = l.alumnus_id"""
        ).bindparams(key=work.options["key"], run=work.run_id, ids=list(ids))
    )


CUSTOM = BulkAction(
    "custom", _("Set or clear a custom field"), 30, _custom_form, _custom_named, _custom_look,
    _custom_write, _custom_back, lambda options, value: "–" if value is None else str(value),
)  # fmt: skip


class SilenceForm(Form):
    """Nothing to choose."""

    def options(self) -> dict[str, Any]:
        """Nothing."""
        return {}


def _silence_look(work: BulkWork) -> BulkLook:
    return BulkLook(
        func.to_jsonb(Alumnus.do_not_contact), func.to_jsonb(literal(True)),
        Alumnus.do_not_contact == true(),
    )  # fmt: skip


def _silence_write(work: BulkWork, ids: Sequence[int]) -> None:
    statement = update(Alumnus).where(among(Alumnus.id, ids)).values(do_not_contact=True)
    work.session.execute(statement, **PLAIN)


SILENCE = BulkAction(
    "do_not_contact", _("Mark “do not contact”"), 60, lambda session, viewer: SilenceForm(),
    lambda session, options: gettext("Mark “do not contact”"), _silence_look, _silence_write, None,
    lambda options, value: _("do not contact") if value else _("may be contacted"),
)  # fmt: skip
