"""Forms of the accounts area."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from wtforms import (
    EmailField,
    HiddenField,
    SelectField,
    SelectMultipleField,
    StringField,
    validators,
)
from wtforms.fields.choices import SelectChoice

from crm.core.viewer import Role
from crm.web.forms import Form
from crm.web.i18n import STAFF_LANGUAGES
from crm.web.words import ROLE_LABELS


class AddressForm(Form):
    """Whom to mail a code."""

    email = EmailField(
        _("Your work mail address"),
        [validators.InputRequired(), validators.Length(max=320)],
        render_kw={"autocomplete": "email", "autofocus": True, "maxlength": 320},
    )
    next = HiddenField()


class CodeForm(Form):
    """The code from the mail."""

    code = StringField(
        _("Six-digit code"),
        [validators.InputRequired(), validators.Length(max=20)],
        render_kw={
            "autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True,
            "maxlength": 20,
        },
    )  # fmt: skip


class FactorForm(Form):
    """A code of the authenticator app, or a recovery code."""

    code = StringField(
        _("Code"),
        [validators.InputRequired(), validators.Length(max=20)],
        render_kw={"autocomplete": "one-time-code", "autofocus": True, "maxlength": 20},
    )
    next = HiddenField()


class FirstCodeForm(Form):
    """The first code of a new authenticator; the picture above it is to be seen first."""

    code = StringField(
        _("Code"),
        [validators.InputRequired(), validators.Length(max=20)],
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": 20},
    )


class AccountForm(Form):
    """One's own name and language."""

    name = StringField(_("Name"), [validators.InputRequired(), validators.Length(max=120)])
    language = SelectField(
        _("Language of these pages"),
        choices=[SelectChoice(code, name) for code, name in STAFF_LANGUAGES.items()],
    )


class AccessForm(Form):
    """Role and scope of an account."""

    role = SelectField(
        _("Role"), choices=[SelectChoice(role.value, label) for role, label in ROLE_LABELS.items()]
    )
    clusters = SelectMultipleField(_("Clusters"), coerce=int, render_kw={"size": 5})
    schools = SelectMultipleField(_("Schools"), coerce=int, render_kw={"size": 8})

    @property
    def chosen_role(self) -> Role:
        """The role that was chosen."""
        return Role(self.role.data)


class InviteForm(AccessForm):
    """A new account, or an old one that needs a fresh link."""

    email = EmailField(_("Mail address"), [validators.InputRequired(), validators.Length(max=320)])
    name = StringField(_("Name"), [validators.Optional(), validators.Length(max=120)])


def with_places(
    form: AccessForm, schools: Sequence[tuple[int, str]], clusters: Sequence[tuple[int, str]]
) -> AccessForm:
    """The form with the district's schools and clusters to choose from."""
    form.schools.choices = [SelectChoice(str(key), name) for key, name in schools]
    form.clusters.choices = [SelectChoice(str(key), name) for key, name in clusters]
    return form
