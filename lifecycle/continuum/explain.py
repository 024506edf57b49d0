"""Says in plain sentences why somebody stands where they stand, from facts only (law 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from flask_babel import format_date
from flask_babel import gettext as _
from flask_babel import ngettext as _n
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.interactions.models import Interaction
from lifecycle.continuum.definition import Continuum, Rule, continuum
from lifecycle.continuum.models import StandingMove
from lifecycle.continuum.rule import Deed, Hold, Person, anchor, holds, occasions, place, tally
from lifecycle.continuum.words import MODES, label


def day(moment: datetime | date | str | None) -> str:
    """A date as the reader writes it; facts kept as ISO text are read first."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return str(format_date(moment, "long")) if moment else _("an unknown date")  # type: ignore[no-untyped-call]


def reasons(session: Session, alumnus_id: int, at: datetime) -> list[str]:
    """Why a person stands in their phase and at their stage at the moment, sentence by sentence."""
    alumnus = session.get(Alumnus, alumnus_id)
    if alumnus is None or alumnus.merged_into_id is not None:
        return []
    ladder, deeds = continuum(), _deeds(session, alumnus_id)
    person = Person(alumnus.created_at, alumnus.graduated_on, alumnus.class_year)
    stands = place(person, deeds, at, ladder)
    happened = occasions(deeds, at)
    told = [_phase_reason(person, stands.phase, alumnus.graduated_on is not None)]
    rank = ladder.rank(stands.stage)
    told.extend(_stage_reasons(ladder, rank, happened, at))
    told.extend(_next_stage(ladder, rank, happened, at))
    return told


def _deeds(session: Session, alumnus_id: int) -> list[Deed]:
    statement = select(Interaction.occurred_at, Interaction.mode).where(
        Interaction.alumnus_id == alumnus_id, Interaction.machine.is_(False)
    )
    return [Deed(moment, mode) for moment, mode in session.execute(statement)]


def _phase_reason(person: Person, phase: str, by_date: bool) -> str:
    graduation = anchor(person)
    if graduation is None:
        return _("Phase not known: neither a graduation date nor a class year is on record.")
    if by_date:
        return _("Phase %(phase)s: graduation on %(day)s.", phase=label(phase), day=day(graduation))
    return _(
        "Phase %(phase)s: class of %(year)s, taken to have graduated on %(day)s.",
        phase=label(phase), year=graduation.year, day=day(graduation),
    )  # fmt: skip


def _stage_reasons(
    ladder: Continuum, rank: int, happened: Sequence[Deed], at: datetime
) -> Iterator[str]:
    """What keeps the present stage, or what let the last one go."""
    if rank == 0:
        over = [h for r in ladder.rules for h in holds(r, happened, ladder.points)]
        last = max(over, key=lambda h: (h.ends, h.rank), default=None)
        quiet = label(ladder.stages[0].key)
        if last is None:
            yield _("Stage %(stage)s: nothing that counts has happened yet.", stage=quiet)
        else:
            yield _(
                "Stage %(stage)s: the last thing that counted for %(before)s was on %(day)s.",
                stage=quiet, before=label(ladder.stages[last.rank].key), day=day(last.last),
            )  # fmt: skip
        return
    rule = next(r for r in ladder.rules if r.rank == rank)
    hold = next(h for h in holds(rule, happened, ladder.points) if h.ends > at)
    yield _risen(rule, hold)
    yield _(
        "It is kept until %(day)s, and longer with every new occasion of %(modes)s.",
        day=day(hold.ends), modes=_modes(rule),
    )  # fmt: skip


def _risen(rule: Rule, hold: Hold) -> str:
    return _(
        "Stage %(stage)s: reached on %(day)s with %(points)s from %(occasions)s within "
        "%(days)s days; %(need)s from %(times)s are needed.",
        stage=label(rule.key), day=day(hold.starts), days=rule.within_days,
        points=_points(hold.points), occasions=_times(hold.occasions),
        need=_points(rule.points), times=_times(rule.occasions),
    )  # fmt: skip


def _next_stage(
    ladder: Continuum, rank: int, happened: Sequence[Deed], at: datetime
) -> Iterator[str]:
    """What the stage above asks for, and how much of it is there."""
    for rule in ladder.rules:
        if rule.rank == rank + 1:
            points, times = tally(rule, happened, ladder.points, at)
            yield _(
                "%(stage)s takes %(need)s from %(times)s of %(modes)s within %(days)s days; "
                "so far there are %(points)s from %(have)s.",
                stage=label(rule.key), need=_points(rule.points), times=_times(rule.occasions),
                modes=_modes(rule), days=rule.within_days,
                points=_points(points), have=_times(times),
            )  # fmt: skip


def move_reason(move: StandingMove) -> str:
    """What decided one move, in a sentence."""
    cause: dict[str, Any] = move.cause
    rule = cause.get("rule")
    if rule == "rise":
        return _(
            "%(points)s from %(occasions)s within %(days)s days by %(day)s; %(need)s from "
            "%(times)s are needed.",
            points=_points(cause["points"]), occasions=_times(cause["occasions"]),
            days=cause["within_days"], day=day(cause["moment"]),
            need=_points(cause["needs"]), times=_times(cause["needs_occasions"]),
        )  # fmt: skip
    if rule == "lapse":
        return _(
            "The last thing that counted was on %(last)s; it carried %(days)s days, until "
            "%(ended)s.",
            last=day(cause["last"]), days=cause["keep_days"], ended=day(cause["ended"]),
        )  # fmt: skip
    if rule == "time" and cause.get("graduated_on"):
        return _("By time alone, counted from %(day)s.", day=day(cause["graduated_on"]))
    return _("What we know of this person was corrected.")


def move_line(move: StandingMove) -> str:
    """One move as a line: from where to where, when, and why."""
    new = label(move.to_key)
    if move.from_key is None:
        what = _("placed at %(new)s", new=new)
    else:
        what = _("from %(old)s to %(new)s", old=label(move.from_key), new=new)
    return _("%(day)s, %(what)s. %(why)s", day=day(move.since), what=what, why=move_reason(move))


def _modes(rule: Rule) -> str:
    return ", ".join(str(MODES[mode]) for mode in rule.counts)


def _points(number: int) -> str:
    return _n("%(num)s point", "%(num)s points", number)


def _times(number: int) -> str:
    return _n("%(num)s occasion", "%(num)s occasions", number)


def why(session: Session, alumnus_id: int, at: datetime) -> Iterable[str]:
    """The continuum's part of the reasons chain: where somebody stands, then their latest moves."""
    yield from reasons(session, alumnus_id, at)
    statement = (
        select(StandingMove)
        .where(StandingMove.alumnus_id == alumnus_id)
        .order_by(StandingMove.at.desc(), StandingMove.id.desc())
        .limit(20)
    )
    for move in session.scalars(statement):
        yield _("Moved: %(line)s", line=move_line(move))
