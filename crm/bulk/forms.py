"""The form that chooses what to do with many people."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import Session
from wtforms import RadioField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from crm.core.bulk import BulkAction
from crm.core.extend import extensions
from crm.core.viewer import Viewer
from crm.web.forms import Form


class ActionForm(Form):
    """What to do."""

    action = RadioField(_("What to do with them"), validators=[InputRequired()])


def actions(viewer: Viewer) -> list[BulkAction]:
    """Every action that this account may take, in the order of the list."""
    mine = (action for action in extensions().bulk_actions if action.open_to(viewer))
    return sorted(mine, key=lambda action: action.order)


def action_form(viewer: Viewer) -> ActionForm:
    """The list of actions, none chosen."""
    form = ActionForm(formdata=None)
    form.action.choices = [SelectChoice(action.key, action.label) for action in actions(viewer)]
    return form


def options_form(session: Session, viewer: Viewer, action: BulkAction) -> Form:
    """The form of an action's own choices."""
    form: Form = action.form(session, viewer)
    return form
