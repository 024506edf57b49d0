"""What steps, outcomes and ends of journeys are called, in sentences for people."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext

from lifecycle.journeys.definition import Document, Enter
from lifecycle.journeys.models import MOVED, EnrollmentState, JourneyState, StepRun
from lifecycle.journeys.steps import (
    ANY,
    AskFor,
    Branch,
    Enroll,
    Exit,
    Send,
    SetFacts,
    Split,
    Step,
    Task,
    Wait,
    WaitFor,
    WaitUntil,
    spelled,
)
from segments.asks.eligibility import WORDS as OBSTACLES

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
    "event_answered": lazy_gettext("answers an invitation"),
    "talk_given": lazy_gettext("gives a talk"),
    "mentoring": lazy_gettext("mentors"),
    "help_given": lazy_gettext("helps"),
    "gift": lazy_gettext("gives"),
}

NOT_ENTERED: dict[str, Any] = {
    "paused": lazy_gettext("it is paused"),
    "stopped": lazy_gettext("it is stopped"),
    "been": lazy_gettext("they were in it before, or are in it now"),
    "exit": lazy_gettext("its exit rule means them"),
    "control": lazy_gettext("kept aside for comparison, so nothing was sent"),
    "deceased": lazy_gettext("the person died"),
}

ENDS: dict[str, Any] = {
    "done": lazy_gettext("went all the way"),
    "exit": lazy_gettext("matched the exit rule"),
    "stopped": lazy_gettext("the journey was stopped"),
    "removed": lazy_gettext("a new version no longer has their step"),
    "replaced": lazy_gettext("a new version took the place of theirs"),
    "control": lazy_gettext("kept aside for comparison, so nothing was sent"),
    "cap": lazy_gettext("they got as much mail as one person may get"),
    "merged": lazy_gettext("the record became part of another one"),
    "deceased": lazy_gettext("the person died"),
    "taken_back": lazy_gettext("the bulk change that let them in was taken back"),
}


def kind_words(kind: str) -> str:
    """What somebody does when an interaction of the kind is recorded."""
    if kind == ANY:
        return _("does anything with us")
    return str(KIND_WORDS.get(kind, kind))


def entry_words(enter: Enter) -> str:
    """Who enters besides by a query, in a few words."""
    parts = []
    if enter.move is not None:
        parts.append(_("on moving to %(place)s", place=enter.move))
    elif enter.interaction is not None:
        parts.append(_("when the person %(does)s", does=kind_words(enter.interaction)))
    elif enter.date is not None:
        parts.append(_day_words(enter))
    elif enter.by_hand:
        parts.append(_("by hand only"))
    if enter.holdout is not None:
        parts.append(_("%(n)s %% kept aside for comparison", n=enter.holdout))
    return " · ".join(str(part) for part in parts)


def _day_words(enter: Enter) -> str:
    day = _date_words(enter)
    if enter.before:
        day = _("%(time)s before %(day)s", time=spelled(enter.before), day=day)
    if enter.years:
        day = _("%(day)s in the years %(list)s", day=day, list=", ".join(map(str, enter.years)))
    return str(day)


def _date_words(enter: Enter) -> str:
    if enter.field is None:
        birthday = enter.date == "birthday"
        return _("their birthday") if birthday else _("the anniversary of their graduation")
    if enter.reentry == "once" and not enter.years:
        return _("the day in their field “%(field)s”", field=enter.field)
    return _("the anniversary of the day in their field “%(field)s”", field=enter.field)


def step_words(step: Step) -> str:
    """What a step does, in a few words."""
    if isinstance(step, Send):
        return _("Send “%(content)s”", content=step.content)
    if isinstance(step, Wait):
        return _("Wait %(time)s", time=spelled(step.wait))
    if isinstance(step, WaitUntil):
        return _("Wait until “%(day)s”, %(time)s", day=step.until, time=step.at)
    if isinstance(step, WaitFor):
        return _(
            "Wait until the person %(does)s, at most %(time)s",
            does=awaited_words(step), time=spelled(step.max),
        )  # fmt: skip
    if isinstance(step, Branch):
        return _("Choose: %(queries)s", queries=" · ".join(arm.when for arm in step.arms))
    if isinstance(step, Exit):
        return _("End: %(reason)s", reason=end_words(step.reason))
    return _acting_words(step)


def _acting_words(step: Split | SetFacts | Enroll | Task | AskFor) -> str:
    """The same for the steps that only act."""
    if isinstance(step, Split):
        return _("Split by chance: %(shares)s", shares=" · ".join(_shares(step)))
    if isinstance(step, SetFacts):
        return _("Note: %(facts)s", facts=facts_words(step))
    if isinstance(step, Enroll):
        return _("Let them into the journey “%(key)s”", key=step.journey)
    if isinstance(step, Task):
        return _("Task for staff: %(title)s", title=step.title)
    return _("Ask whether they would help: %(way)s", way=step.way)


def awaited_words(step: WaitFor) -> str:
    """What is waited for: “clicks a link or replies (of story)”."""
    deeds = [kind_words(kind) for kind in step.kinds] or [_("does anything with us")]
    told = f" {_('or')} ".join(deeds)
    return _("%(does)s (of “%(step)s”)", does=told, step=step.of) if step.of else told


def _shares(step: Split) -> list[str]:
    """Each share of the whole in percent: `70% → story`."""
    total = sum(share.weight for share in step.shares)
    return [f"{100 * s.weight / total:.3g}% → {s.next}" for s in step.shares]


def facts_words(step: SetFacts) -> str:
    """What a step notes on people, as it is written."""
    subjects = [f"subject: {key}" for key in step.subjects]
    return ", ".join([*subjects, *(f"{key}: {value}" for key, value in step.custom.items())])


def edge_words(step: Step, outcome: str) -> str:
    """The word on the way that an outcome takes; nothing where there is only one."""
    if isinstance(step, WaitFor):
        return _("yes") if outcome == "yes" else _("no")
    if isinstance(step, Branch):
        if outcome == "otherwise":
            return _("otherwise")
        return step.arms[int(outcome) - 1].when
    if isinstance(step, Split):
        return _shares(step)[int(outcome) - 1].partition(" ")[0]
    if isinstance(step, AskFor):
        return _("was asked") if outcome == "asked" else _("may not be asked")
    if isinstance(step, Enroll):
        return _("was let in") if outcome == "entered" else _("could not enter")
    return ""


def end_words(reason: str | None) -> str:
    """Why somebody's way ended."""
    return str(ENDS.get(reason or "", reason or ""))


def run_words(document: Document, run: StepRun) -> str:
    """What one run of a step did, and why, in a sentence."""
    if run.outcome == MOVED:
        old, _sign, new = (run.reason or "").partition(">")
        return _("Moved from version %(old)s to version %(new)s.", old=old, new=new)
    if run.step_no >= len(document.steps):
        return run.outcome
    return _run_words(document.steps[run.step_no], run.outcome, run.reason)


def _run_words(step: Step, outcome: str, reason: str | None) -> str:
    if isinstance(step, Send):
        return _("“%(content)s” was put in the outbox.", content=step.content)
    if isinstance(step, Wait):
        return _("%(time)s went by.", time=spelled(step.wait))
    if isinstance(step, WaitUntil):
        return _("It was waited until “%(day)s”.", day=step.until)
    if isinstance(step, WaitFor):
        does, time = awaited_words(step), spelled(step.max)
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
    if isinstance(step, Exit):
        return _("The end: %(reason)s.", reason=end_words(step.reason))
    return _acted_words(step, outcome, reason)


def _acted_words(
    step: Split | SetFacts | Enroll | Task | AskFor, outcome: str, reason: str | None
) -> str:
    if isinstance(step, Split):
        share = step.shares[int(outcome) - 1]
        return _("Chance sent the person to “%(step)s”.", step=share.next)
    if isinstance(step, SetFacts):
        return _("Noted: %(facts)s.", facts=facts_words(step))
    if isinstance(step, Task):
        return _("Staff got the task “%(title)s”.", title=step.title)
    if isinstance(step, Enroll):
        if outcome == "entered":
            return _("The person entered the journey “%(key)s”.", key=step.journey)
        return _("The journey “%(key)s” did not take the person: %(why)s.", key=step.journey,
                 why=NOT_ENTERED.get(reason or "", reason or ""))  # fmt: skip
    if outcome == "asked":
        return _("The person was asked whether they would help: %(way)s.", way=step.way)
    return _(
        "The person was not asked: such people %(why)s.", why=OBSTACLES.get(reason or "", reason)
    )


def place_words(document: Document, step_no: int) -> str:
    """Where somebody stands now."""
    if step_no >= len(document.steps) or isinstance(document.steps[step_no], Exit):
        return _("at the end")
    return step_words(document.steps[step_no])
