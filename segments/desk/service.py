"""What the desk does with its suggestions: ask the chosen, explain who was not suggested."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, column, func, select, table
from sqlalchemy.orm import Session

from crm.alumni.access import load_alumnus
from crm.alumni.models import Alumnus
from crm.alumni.queries import resolve_person
from crm.core.district import chosen
from crm.core.errors import HomecomingError, Invalid, NotFound
from crm.core.extend import QueryContext
from crm.core.viewer import Viewer
from crm.query import compile_query
from segments.asks.eligibility import need_of, why_not
from segments.asks.service import Wave, send_wave
from segments.desk.choices import Asking
from segments.desk.queries import next_wave
from segments.desk.waves import suggest
from segments.desk.why import obstacles_told
from segments.requests.models import Request

MOST_NAMED = 5
QUICKLY = 50_000
"""Among so many people the page counts unasked why the others cannot be; of a million it takes
seconds, and a slider is moved often."""


@dataclass(frozen=True)
class Named:
    """A person somebody asked after: what stands in the way of asking them, if anything."""

    alumnus_id: int | None
    name: str
    obstacles: tuple[str, ...] = ()
    """In words, the first first, each with its value."""
    fault: str = ""


@dataclass(frozen=True)
class Tried:
    """What somebody tries out on the match page instead of the district's choice; None: that."""

    size: int | None = None
    fair: int | None = None

    def asking(self, session: Session) -> Asking:
        """The district's choice with what is tried out in its place."""
        now = chosen(session, Asking)
        return now if self.fair is None else now.model_copy(update={"fairness": self.fair / 100})


def quickly_counted(session: Session) -> bool:
    """Whether the district is small enough to count the obstacles of everybody at each look."""
    size = select(column("reltuples", Integer)).select_from(table("pg_class"))
    people = session.scalar(size.where(column("oid") == func.to_regclass("alumnus")))
    return (people or 0) <= QUICKLY


def coming_wave(session: Session, request: Request) -> int:
    """The number of the wave that would be sent next."""
    return next_wave(session, request.id)


def look_up(
    session: Session, request: Request, text: str, *, viewer: Viewer, at: datetime
) -> list[Named]:
    """Why the people of a name or an id are or are not among the candidates; at most five."""
    if not text.strip():
        return []
    try:
        people = _people(session, text[:200], viewer, at)
    except HomecomingError as error:
        return [Named(None, text[:200], fault=str(error))]
    need = need_of(session, request, at)
    found = []
    for person in people:
        words = why_not(session, need, person.id)
        told = obstacles_told(session, need, person, words)
        found.append(Named(person.id, person.full_name, tuple(told)))
    return found


def _people(session: Session, text: str, viewer: Viewer, at: datetime) -> Sequence[Alumnus]:
    """Whoever the text names: by an id, else by a name as the search box takes it."""
    try:
        return [load_alumnus(session, viewer, resolve_person(session, text))]
    except NotFound as error:
        try:
            wanted = compile_query(text, QueryContext(session, viewer, at))
        except HomecomingError:
            raise error from None
        named = select(Alumnus).where(wanted.condition).order_by(Alumnus.sort_key, Alumnus.id)
        if found := session.scalars(named.limit(MOST_NAMED)).all():
            return found
        raise


def ask_chosen(
    session: Session,
    request: Request,
    people: Collection[int],
    *,
    auto: bool = False,
    tried: Tried | None = None,
    by: Viewer,
    at: datetime,
) -> Wave:
    """Ask those of the suggested candidates who were chosen.

    Only people whom the desk itself suggests to this viewer can be asked, so that a forged form
    reaches nobody else; `tried` are the values with which they were shown. Raises `Invalid` if none
    of them is left.
    """
    wave = next_wave(session, request.id)
    tried = tried or Tried()
    shown = suggest(
        session, request, at=at, viewer=by, wave=wave, counted=False, size=tried.size,
        asking=tried.asking(session),
    ).match  # fmt: skip
    picks = [c.pick() for c in shown.candidates if c.alumnus_id in people]
    if not picks:
        raise Invalid("Choose at least one of the people who are suggested now.", field="person")
    request.auto = auto
    return send_wave(session, request, picks, by=by, at=at)
