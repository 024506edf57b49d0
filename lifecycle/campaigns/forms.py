"""Forms of the campaign pages: shape and wording; the service knows the rules."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import DateTimeLocalField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from crm.web.forms import Form


class CampaignForm(Form):
    """What a coordinator decides about a campaign."""

    name = StringField(_("Name"), validators=[InputRequired(), Length(max=120)])
    goal = StringField(_("District goal it serves"), validators=[Optional(), Length(max=200)])
    query = TextAreaField(
        _("Audience"),
        validators=[InputRequired(), Length(max=2000)],
        render_kw={"rows": 3, "spellcheck": "false"},
    )
    topic_key = SelectField(_("Topic"), validators=[InputRequired()])


class TextForm(Form):
    """The text in one language."""

    subject = StringField(_("Subject"), validators=[InputRequired(), Length(max=150)])
    preheader = StringField(_("First line in the inbox"), validators=[Optional(), Length(max=150)])
    body = TextAreaField(
        _("Text"), validators=[InputRequired(), Length(max=20_000)], render_kw={"rows": 16}
    )


class ScheduleForm(Form):
    """When it goes out."""

    when = RadioField(
        _("When"),
        choices=[
            SelectChoice("now", _("As soon as possible")),
            SelectChoice("later", _("At a set time")),
        ],
        default="now",
    )
    send_at = DateTimeLocalField(
        _("Date and time"), format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"], validators=[Optional()]
    )
