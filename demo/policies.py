"""Four ways to choose whom to ask, lived through on the demo district with the truth known.

Each policy lives through the same year from the same day on: the same requests on the same days,
the same rules of who may be asked (`send_wave`), the same holds, the same answers by
`demo.truth` (a person says the same to the same request, whoever asks). Only the choice differs;
ours is the desk's own code. Everything is rolled back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from random import Random
from statistics import median
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import ExternalId
from crm.core.district import chosen
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM
from crm.interactions.models import Interaction, Mode
from crm.schools.models import School
from demo.people import FIELDS, WAYS, Person
from demo.truth import AskFacts, chance_of_yes
from segments.asks import answers
from segments.asks.models import Ask, AskState
from segments.asks.queries import places_left
from segments.asks.service import Pick, expire_holds, send_wave
from segments.desk.choices import Asking
from segments.desk.match import candidates, match
from segments.desk.planning import usual_share
from segments.desk.together import propose
from segments.desk.waves import plan_wave, timing
from segments.requests.draft import Draft, Slot
from segments.requests.models import Place, Request
from segments.requests.queries import dates_of
from segments.requests.service import ASKABLE, approve, create_request

ZONE = ZoneInfo("America/New_York")
STEP = timedelta(days=3)
AHEAD = 18
Choose = Callable[[Session, Sequence[Request], datetime], None]


@dataclass
class Outcome:
    """What a policy came to. Shares are 0 to 1; schools by id, places filled of places."""

    asks: int = 0
    yeses: int = 0
    places: int = 0
    filled: int = 0
    days: list[int] = field(default_factory=list)
    schools: dict[int, list[int]] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)

    def row(self) -> dict[str, float]:
        """The figures of a report."""
        rates = [filled / places for filled, places in self.schools.values()]
        counts = sorted(self.asked.values(), reverse=True)
        tenth = counts[: max(1, round(len(counts) / 10))]
        return {
            "asks": self.asks, "places": self.places, "filled": self.filled / self.places,
            "yes_rate": self.yeses / max(1, self.asks),
            "asks_per_filled": self.asks / max(1, self.filled),
            "median_days": median(self.days) if self.days else 0,
            "lowest_school": min(rates), "highest_school": max(rates),
            "busiest_tenth": sum(tenth) / max(1, self.asks), "people_asked": len(self.asked),
        }  # fmt: skip


def ours(session: Session, requests: Sequence[Request], at: datetime) -> None:
    """The desk: waves that suffice, all requests solved together."""
    by_id = {request.id: request for request in requests}
    for proposal in propose(session, requests, at=at):
        _send(session, by_id[proposal.request_id], proposal.picks, at)


def first_come(session: Session, requests: Sequence[Request], at: datetime) -> None:
    """One request after another takes its best by rank, in waves as large as ours."""
    for request in requests:
        _serial(session, request, at, by_chance=False)


def top_score(session: Session, requests: Sequence[Request], at: datetime) -> None:
    """One request after another takes those likeliest to say yes, whatever fits or was asked."""
    for request in requests:
        _serial(session, request, at, by_chance=True)


def blast(session: Session, requests: Sequence[Request], at: datetime) -> None:
    """Everybody who may be asked, at once."""
    for request in requests:
        found = match(session, request, at=at, limit=400, counted=False)
        for start in range(0, len(found.candidates), 50):
            picks = [c.pick() for c in found.candidates[start : start + 50]]
            _send(session, request, picks, at)


POLICIES: dict[str, Choose] = {
    "ours": ours, "first come": first_come, "top score": top_score, "blast": blast,
}  # fmt: skip


def _serial(session: Session, request: Request, at: datetime, *, by_chance: bool) -> None:
    found = match(session, request, at=at, limit=1, counted=False)
    ranked = found.ranked
    if by_chance:
        ranked = replace(ranked, order=np.argsort(-ranked.chance, kind="stable"))
    asking = chosen(session, Asking).model_copy(update={"near_first": False})
    time_left = timing(session, request.way_key, at, [d.starts_at for d in found.need.dates])
    places = places_left(session, request)
    wave = plan_wave(ranked, places, time_left, asking, seed="")
    rows = ranked.order[: len(wave.rows)].tolist()
    picks = [c.pick() for c in candidates(session, found.need, ranked, rows)]
    _send(session, request, picks, at)


def _send(session: Session, request: Request, picks: Sequence[Pick], at: datetime) -> None:
    if picks:
        try:
            send_wave(session, request, picks, by=SYSTEM, at=at)
        except (Conflict, Invalid):
            return


def simulate(
    session: Session, people: Sequence[Person], choose: Choose, *, at: datetime, days: int,
    seed: int, every: float,
) -> Outcome:  # fmt: skip
    """Live through so many days; `every` is how many requests are posted a step of three days."""
    numbers = select(ExternalId.value, ExternalId.alumnus_id)
    known = dict(session.execute(numbers).all())
    by_id = {known[p.student_number]: p for p in people if p.student_number in known}
    schools = {s.id: s for s in session.scalars(select(School).order_by(School.id))}
    random, outcome = Random(seed), Outcome()
    posted: list[Request] = []
    nces = {key: school.nces_id for key, school in schools.items()}
    for _ in range(days // STEP.days):
        posted += _post(session, random, list(schools.values()), at, every)
        waiting = [r for r in posted if r.state in ASKABLE and places_left(session, r) > 0]
        choose(session, waiting, at)
        at += STEP
        _answer(session, by_id, nces, at, seed)
        expire_holds(session, at)
        session.flush()
    _count(session, outcome, posted)
    return outcome


def _post(
    session: Session, random: Random, schools: Sequence[School], at: datetime, every: float,
) -> list[Request]:  # fmt: skip
    """Requests of this step; some schools ask for much more than others."""
    found = []
    for _ in range(int(every) + (random.random() < every % 1)):
        school = random.choices(schools, [1 + n % 4 for n in range(len(schools))])[0]
        way = random.choices(WAYS, (0.4, 0.16, 0.14, 0.14, 0.1, 0.06))[0]
        subject = random.choice([subject for _jobs, subject, _share in FIELDS.values()])
        day: date = (at + timedelta(days=AHEAD)).date()
        begins = datetime.combine(day, time(10, 0), ZONE)
        draft = Draft(
            school_id=school.id, way_key=way, subject_key=subject, pupils=25,
            slots=(Slot(begins, begins + timedelta(hours=1)),), places=random.choice((1, 1, 2)),
            place=Place.VIRTUAL if random.random() < 0.2 else Place.SCHOOL,
        )  # fmt: skip
        request = create_request(session, draft, by=SYSTEM, at=at)
        if request.state not in ASKABLE:
            approve(session, request, by=SYSTEM, at=at)
        found.append(request)
    return found


def _answer(
    session: Session, people: dict[int, Person], nces: dict[int, str | None], at: datetime,
    seed: int,
) -> None:  # fmt: skip
    """Whoever was asked says yes in time, says no, or nothing; the same for every policy."""
    waiting = select(Ask, Request).join(Request, Request.id == Ask.request_id)
    waiting = waiting.where(Ask.state == AskState.OPEN).order_by(Ask.id)
    for ask, request in session.execute(waiting).all():
        person = people.get(ask.alumnus_id)
        first = next(iter(dates_of(session, request.id)), None)
        if person is None or first is None or ask.state is not AskState.OPEN:
            continue
        key = f"{seed}:{request.created_at}:{request.title}:{request.pupils}:{ask.alumnus_id}"
        draw = Random(key)
        facts = AskFacts(
            way=ask.way_key, own_school=nces[request.school_id] == person.school.nces_id,
            subject=request.subject_key, virtual=request.place is Place.VIRTUAL,
            helped_lately=_helped(session, ask, at), asks_last_year=_asked(session, ask, at) - 1,
        )  # fmt: skip
        yes = draw.random() < chance_of_yes(person, facts)
        if yes and draw.random() < usual_share(STEP) and first.starts_at > at:
            answers.accept(session, ask, date_id=first.id, at=at)
        elif not yes and draw.random() < 0.55:
            answers.decline(session, ask, how="no", at=at)


def _helped(session: Session, ask: Ask, at: datetime) -> bool:
    deeds = select(func.count()).where(
        Interaction.alumnus_id == ask.alumnus_id, Interaction.mode == Mode.VOLUNTEER,
        Interaction.occurred_at > at - timedelta(days=548),
    )  # fmt: skip
    return bool(session.scalar(deeds))


def _asked(session: Session, ask: Ask, at: datetime) -> int:
    year = Ask.asked_at > at - timedelta(days=365)
    asks = select(func.count()).where(Ask.alumnus_id == ask.alumnus_id, year)
    return int(session.scalar(asks) or 0)


def _count(session: Session, outcome: Outcome, posted: Sequence[Request]) -> None:
    for request in posted:
        left = places_left(session, request)
        school = outcome.schools.setdefault(request.school_id, [0, 0])
        school[0] += request.places - left
        school[1] += request.places
        outcome.places += request.places
        outcome.filled += request.places - left
        asks = session.scalars(select(Ask).where(Ask.request_id == request.id)).all()
        outcome.asks += len(asks)
        outcome.asked.update(ask.alumnus_id for ask in asks)
        yeses = sorted(
            a.answered_at for a in asks if a.state is AskState.ACCEPTED and a.answered_at
        )
        outcome.yeses += len(yeses)
        if not left and yeses:
            outcome.days.append((yeses[-1] - request.created_at).days)
