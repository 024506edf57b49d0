"""What staff record on somebody's word."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import DateField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from crm.alumni.models import Alumnus
from crm.consent import pauses
from crm.consent.age import AgeRule, Outreach, clean
from crm.consent.models import ConsentBasis, ConsentState, Topic
from crm.consent.service import MAX_WORDING
from crm.consent.words import own_words
from crm.core.errors import Invalid
from crm.web.forms import Form, MultiCheckboxField
from crm.web.i18n import LANGUAGES

EVERYTHING = "*"


class WordForm(Form):
    """One choice of a person: the topic (or all), yes or no, and what they said."""

    topic = SelectField(_("About"))
    state = SelectField(
        _("They said"),
        choices=[
            SelectChoice(ConsentState.WITHDRAWN.value, _("No more of it")),
            SelectChoice(ConsentState.GRANTED.value, _("Yes, please send it")),
        ],
    )
    wording = TextAreaField(
        _("What they said, and how"), validators=[InputRequired(), Length(max=MAX_WORDING)]
    )


class TopicForm(Form):
    """A topic's names by language, and whether it may be sent until somebody objects."""

    label_en = StringField(_("Name in English"), [InputRequired(), Length(max=60)])
    about_en = StringField(_("In one sentence, in English"), [Length(max=160)])
    label_es = StringField(_("Name in Spanish"), [Length(max=60)])
    about_es = StringField(_("In one sentence, in Spanish"), [Length(max=160)])
    label_am = StringField(_("Name in Amharic"), [Length(max=60)])
    about_am = StringField(_("In one sentence, in Amharic"), [Length(max=160)])
    basis = RadioField(
        _("Who gets it"),
        choices=[
            SelectChoice(
                ConsentBasis.OPT_OUT.value, _("everybody, until they leave it or stop all mail")
            ),
            SelectChoice(ConsentBasis.OPT_IN.value, _("only people who agreed to this topic")),
        ],
        default=ConsentBasis.OPT_OUT.value,
    )

    @classmethod
    def of(cls, topic: Topic) -> TopicForm:
        """The form filled in with a topic as readers see it."""
        words = {
            f"{part}_{code}": own_words(topic, part, code)
            for code in LANGUAGES
            for part in ("label", "about")
        }
        return cls(**words, basis=topic.basis.value)

    def names(self) -> dict[str, dict[str, str]]:
        """The names by language."""
        return {
            code: {
                "label": self[f"label_{code}"].data or "",
                "about": self[f"about_{code}"].data or "",
            }
            for code in LANGUAGES
        }

    @property
    def chosen_basis(self) -> ConsentBasis:
        """The basis that was chosen."""
        return ConsentBasis(self.basis.data)

    def show(self, error: Invalid) -> None:
        """Put a refusal beside its field."""
        if error.field in self:
            self[error.field].errors = [*self[error.field].errors, str(error)]
        else:
            self.form_errors.append(str(error))


class MinorsForm(Form):
    """What may go to people under 18."""

    outreach = RadioField(
        _("What may go to people under 18"),
        choices=[
            SelectChoice(Outreach.NOTHING.value, _("nothing, except what they ask for themselves")),
            SelectChoice(
                Outreach.HANDOVER.value,
                _("besides that, the school’s own hand-over to alumni life"),
            ),
            SelectChoice(Outreach.TOPICS.value, _("besides that, the topics chosen below")),
        ],
    )
    handover = MultiCheckboxField(_("What counts as the school’s hand-over"))
    topics = MultiCheckboxField(_("Topics that people under 18 may get"))
    margin_years = SelectField(
        _("Where no date of birth is known, a class counts as 18 from"),
        choices=[
            SelectChoice("0", _("1 September of the year in which it graduates")),
            SelectChoice("1", _("1 September a year later")),
            SelectChoice("2", _("1 September two years later")),
        ],
    )

    def rule(self) -> AgeRule:
        """What was chosen, as a rule."""
        return AgeRule(
            outreach=Outreach(self.outreach.data), handover=clean(self.handover.data or ()),
            topics=clean(self.topics.data or ()), margin_years=int(self.margin_years.data),
        )  # fmt: skip


class PauseForm(Form):
    """A pause that a person asked staff for."""

    topic = SelectField(_("About"), default=EVERYTHING)
    break_for = SelectField(_("How long"), default=pauses.Break.DAY.value)
    until = DateField(_("Send nothing up to and with"), [Optional()])
    wording = TextAreaField(
        _("What they said, and how"), validators=[InputRequired(), Length(max=MAX_WORDING)]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.break_for.choices = pauses.choices()

    @classmethod
    def of(cls, person: Alumnus) -> PauseForm:
        """The form filled in with the pause that stands."""
        named = pauses.Break.DAY if person.paused_until else pauses.Break.NONE
        return cls(formdata=None, until=person.paused_until, break_for=named.value, prefix="pause-")

    @property
    def topic_key(self) -> str | None:
        """The topic that is meant; None for all mail."""
        return None if self.topic.data == EVERYTHING else str(self.topic.data)

    def last_day(self, person: Alumnus, *, at: datetime) -> date | None:
        """The last day of the pause that was chosen; None for none.

        A day that came with the form from a pause of all mail counts as typed for that alone.
        """
        held = person.paused_until
        return pauses.last_day(self.break_for.data, self.until.data, held=held, today=at.date())


class CloseForm(Form):
    """An address that is never to be mailed, and why."""

    address = SelectField(_("Address"))
    reason = StringField(_("Why"), validators=[InputRequired(), Length(max=200)])
