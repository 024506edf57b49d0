"""What steps, outcomes and ends of journeys are called, in sentences for people."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from lifecycle.journeys.definition import (
    Branch,
    Document,
    Exit,
    Send,
    Step,
    Wait,
    WaitFor,
    spelled,
)
from lifecycle.journeys.models import EnrollmentState, JourneyState

STATES: dict[JourneyState, Any] = {
    JourneyState.LIVE: lazy_gettext("Live"),
    JourneyState.PAUSED: lazy_gettext("Paused"),
    JourneyState.STOPPED: lazy_gettext("Stopped"),
}
TONES = {JourneyState.LIVE: "good", JourneyState.PAUSED: "warn", JourneyState.STOPPED: "quiet"}

PLACES: dict[EnrollmentState, Any] = {
    EnrollmentState.WAITING: lazy_gettext("Inside"),
    EnrollmentState.STUCK: lazy_gettext("Set aside"),
    EnrollmentState.ENDED: lazy_gettext("Ended"),
}

KIND_WORDS: dict[str, Any] = {
    "profile_updated": lazy_gettext("updates their profile"),
    "link_clicked": lazy_gettext("clicks a link"),
    "replied": lazy_gettext("replies"),
    "ask_answered": lazy_gettext("answers an ask"),
    "event_attended": lazy_gettext("attends an event"),
    "talk_given": lazy_gettext("gives a talk"),
    "mentoring": lazy_gettext("mentors"),
    "help_given": lazy_gettext("helps"),
    "gift": lazy_gettext("gives"),
}

ENDS: dict[str, Any] = {
    "done": lazy_gettext("went all the way"),
    "exit": lazy_gettext("matched the exit rule"),
    "stopped": lazy_gettext("the journey was stopped"),
    "merged": lazy_gettext("the record became part of another one"),
    "deceased": lazy_gettext("the person died"),
    "taken_back": lazy_gettext("the bulk change that let them in was taken back"),
}


def kind_words(kind: str) -> str:
    """What somebody does when an interaction of the kind is recorded."""
    return str(KIND_WORDS.get(kind, kind))


def step_words(step: Step) -> str:
    """What a step does, in a few words."""
    if isinstance(step, Send):
        return _("Send “%(content)s”", content=step.content)
    if isinstance(step, Wait):
        return _("Wait %(time)s", time=spelled(step.wait))
    if isinstance(step, WaitFor):
        return _(
            "Wait until the person %(does)s, at most %(time)s",
            does=kind_words(step.interaction), time=spelled(step.max),
        )  # fmt: skip
    if isinstance(step, Branch):
        return _("Choose: %(queries)s", queries=" · ".join(arm.when for arm in step.arms))
    return _("End: %(reason)s", reason=end_words(step.reason))


def edge_words(step: Step, outcome: str) -> str:
    """The word on the way that an outcome takes; nothing where there is only one."""
    if isinstance(step, WaitFor):
        return _("yes") if outcome == "yes" else _("no")
    if isinstance(step, Branch):
        if outcome == "otherwise":
            return _("otherwise")
        return step.arms[int(outcome) - 1].when
    return ""


def end_words(reason: str | None) -> str:
    """Why somebody's way ended."""
    return str(ENDS.get(reason or "", reason or ""))


def run_words(document: Document, step_no: int, outcome: str) -> str:
    """What one run of a step did, and why, in a sentence."""
    if step_no >= len(document.steps):
        return outcome
    step = document.steps[step_no]
    if isinstance(step, Send):
        return _("“%(content)s” was put in the outbox.", content=step.content)
    if isinstance(step, Wait):
        return _("%(time)s went by.", time=spelled(step.wait))
    if isinstance(step, WaitFor):
        does, time = kind_words(step.interaction), spelled(step.max)
        if outcome == "yes":
            return _("It happened: the person %(does)s.", does=does)
        return _(
            "Nothing within %(time)s: it was waited until the person %(does)s.",
            time=time, does=does,
        )  # fmt: skip
    if isinstance(step, Branch):
        if outcome == "otherwise":
            return _("None of these queries meant the person, so the way “otherwise” was taken.")
        return _("The query “%(query)s” meant the person.", query=edge_words(step, outcome))
    return _("The end: %(reason)s.", reason=end_words(step.reason))


def place_words(document: Document, step_no: int) -> str:
    """Where somebody stands now."""
    if step_no >= len(document.steps) or isinstance(document.steps[step_no], Exit):
        return _("at the end")
    return step_words(document.steps[step_no])
