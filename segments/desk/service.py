"""What the desk does with its suggestions: ask the chosen, explain who was not suggested."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from crm.alumni.access import load_alumnus
from crm.alumni.queries import resolve_person
from crm.core.errors import HomecomingError, Invalid
from crm.core.viewer import Viewer
from segments.asks.eligibility import need_of, why_not
from segments.asks.service import Wave, send_wave
from segments.desk.queries import next_wave
from segments.desk.waves import suggest
from segments.requests.models import Request


@dataclass(frozen=True)
class Named:
    """A person somebody asked after: what stands in the way of asking them, if anything."""

    alumnus_id: int | None
    name: str
    obstacles: tuple[str, ...] = ()
    fault: str = ""


def coming_wave(session: Session, request: Request) -> int:
    """The number of the wave that would be sent next."""
    return next_wave(session, request.id)


def look_up(
    session: Session, request: Request, text: str, *, viewer: Viewer, at: datetime
) -> Named | None:
    """Why a named person is or is not among the candidates; None if nobody was named."""
    if not text.strip():
        return None
    try:
        person = load_alumnus(session, viewer, resolve_person(session, text[:200]))
    except HomecomingError as error:
        return Named(None, text[:200], fault=str(error))
    found = why_not(session, need_of(session, request, at), person.id)
    return Named(person.id, person.full_name, tuple(found))


def ask_chosen(
    session: Session,
    request: Request,
    people: Collection[int],
    *,
    auto: bool = False,
    by: Viewer,
    at: datetime,
) -> Wave:
    """Ask those of the suggested candidates who were chosen.

    Only people whom the desk itself suggests to this viewer can be asked, so that a forged form
    reaches nobody else. Raises `Invalid` if none of them is left.
    """
    wave = next_wave(session, request.id)
    shown = suggest(session, request, at=at, viewer=by, wave=wave, counted=False).match
    picks = [c.pick() for c in shown.candidates if c.alumnus_id in people]
    if not picks:
        raise Invalid("Choose at least one of the people who are suggested now.", field="person")
    request.auto = auto
    return send_wave(session, request, picks, by=by, at=at)
