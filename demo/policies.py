"""Ways to choose whom to ask, lived through on the demo district with the truth known.

Each policy lives through the same months from the same day on: the same requests on the same days,
the same rules of who may be asked (`send_wave`), the same holds, the same answers by
`demo.truth` (a person says the same to the same request, whoever asks, and takes the same time).
Only the choice differs; ours is the desk's own code. Whoever calls rolls back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import partial
from random import Random
from statistics import median

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import ExternalId
from crm.core.database import among
from crm.core.district import choose, chosen
from crm.core.errors import Conflict, Invalid
from crm.core.viewer import SYSTEM
from crm.interactions.models import Interaction, Mode
from crm.schools.models import School
from demo.people import ASKED_FOR, FIELDS, WAYS, ZONE, Person
from demo.truth import LATELY, SAYS_NO, YEAR, AskFacts, chance_of_yes
from segments.asks import answers
from segments.asks.models import Ask, AskState
from segments.asks.queries import places_left
from segments.asks.service import Pick, expire_holds, send_wave
from segments.desk.choices import Asking
from segments.desk.match import candidates, match
from segments.desk.planning import USUAL_DELAY
from segments.desk.together import propose
from segments.desk.waves import paces, plan_wave, timing
from segments.requests.draft import Draft, Slot
from segments.requests.models import Place, Request
from segments.requests.queries import dates_of
from segments.requests.service import ASKABLE, approve, create_request

STEP = timedelta(days=3)
AHEAD = 18
Choose = Callable[[Session, Sequence[Request], datetime], None]


@dataclass
class Outcome:
    """What a policy came to. Shares are 0 to 1; schools by NCES id, places filled of places."""

    asks: Counter[str] = field(default_factory=Counter)
    chosen: dict[str, list[int]] = field(default_factory=dict)
    places: int = 0
    filled: int = 0
    days: list[float] = field(default_factory=list)
    schools: dict[str, list[int]] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)

    def row(self) -> dict[str, float]:
        """The figures of a report; days are those until the last place of a request was taken."""
        total = sum(self.asks.values())
        counts = sorted(self.asked.values(), reverse=True)
        tenth = counts[: max(1, round(len(counts) / 10))]
        return {
            "asks": total, "places": self.places, "filled": self.filled / max(1, self.places),
            "asks_per_filled": total / max(1, self.filled),
            "median_days": median(self.days) if self.days else 0.0,
            "busiest_tenth": sum(tenth) / max(1, total), "people_asked": len(self.asked),
            "no_answer": self.asks[AskState.NONE] / max(1, total),
            **{f"yes_{how}": yes / n for how, (n, yes) in self.chosen.items()},
        }  # fmt: skip


def ours(
    session: Session, requests: Sequence[Request], at: datetime, **choice: float
) -> None:  # fmt: skip
    """The desk: waves that suffice, all requests solved together; `choice` as of `Asking`."""
    if choice:
        choose(session, chosen(session, Asking).model_copy(update=choice), at=at)
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
    "ours": ours, "ours, nobody drawn": partial(ours, explore=0.0),
    "ours, turns not counted": partial(ours, explore=0.0, fairness=0.0),
    "first come": first_come, "top score": top_score, "blast": blast,
}  # fmt: skip


def _serial(session: Session, request: Request, at: datetime, *, by_chance: bool) -> None:
    found = match(session, request, at=at, limit=1, counted=False)
    ranked = found.ranked
    if by_chance:
        ranked = replace(ranked, order=np.argsort(-ranked.chance, kind="stable"))
    asking = Asking(near_first=False, explore=0.0)
    pace = paces(session, request.way_key, at)
    time_left = timing(pace, at, [choice.starts_at for choice in found.need.dates])
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
    session: Session, people: Sequence[Person], policy: Choose, *, at: datetime, days: int,
    seed: int, every: float,
) -> Outcome:  # fmt: skip
    """Live through so many days; `every` is how many requests are posted a step of three days."""
    numbers = select(ExternalId.value, ExternalId.alumnus_id)
    known = dict(session.execute(numbers).all())
    by_id = {known[p.student_number]: p for p in people if p.student_number in known}
    schools = {s.id: s for s in session.scalars(select(School).order_by(School.id))}
    nces = {key: str(school.nces_id) for key, school in schools.items()}
    random, posted = Random(seed), list[Request]()
    for _ in range(days // STEP.days):
        posted += _post(session, random, list(schools.values()), at, every, len(posted))
        waiting = [r for r in posted if r.state in ASKABLE and places_left(session, r) > 0]
        policy(session, waiting, at)
        at += STEP
        _answer(session, by_id, nces, at, seed)
        expire_holds(session, at)
        session.flush()
    return _counted(session, posted, nces)


def _post(
    session: Session, random: Random, schools: Sequence[School], at: datetime, every: float,
    before: int,
) -> list[Request]:  # fmt: skip
    """Requests of this step; some schools ask for much more than others."""
    found: list[Request] = []
    for _ in range(int(every) + (random.random() < every % 1)):
        school = random.choices(schools, [1 + n % 4 for n in range(len(schools))])[0]
        way = random.choices(WAYS, ASKED_FOR)[0]
        subject = random.choice([subject for _jobs, subject, _share in FIELDS.values()])
        day: date = (at + timedelta(days=AHEAD)).date()
        begins = datetime.combine(day, time(9 + random.randrange(6)), ZONE)
        draft = Draft(
            school_id=school.id, way_key=way, subject_key=subject, pupils=25,
            title=f"Request {before + len(found)}",
            slots=(Slot(begins, begins + timedelta(hours=1)),), places=random.choice((1, 1, 2)),
            place=Place.VIRTUAL if random.random() < 0.2 else Place.SCHOOL,
        )  # fmt: skip
        request = create_request(session, draft, by=SYSTEM, at=at)
        if request.state not in ASKABLE:
            approve(session, request, by=SYSTEM, at=at)
        found.append(request)
    return found


def _answer(
    session: Session, people: dict[int, Person], nces: dict[int, str], at: datetime, seed: int
) -> None:
    """Whoever was asked says yes in time, says no, or nothing; in the order of their answers."""
    waiting = select(Ask, Request).join(Request, Request.id == Ask.request_id)
    waiting = waiting.where(Ask.state == AskState.OPEN).order_by(Ask.id)
    rows = [(ask, request) for ask, request in session.execute(waiting) if ask.alumnus_id in people]
    helped, asked = _lately(session, [ask.alumnus_id for ask, _request in rows], at)
    said: list[tuple[datetime, Ask, Request, bool]] = []
    for ask, request in rows:
        person, draw = people[ask.alumnus_id], Random(f"{seed}:{request.title}:{ask.alumnus_id}")
        facts = AskFacts(
            way=ask.way_key, own_school=nces[request.school_id] == person.school.nces_id,
            subject=request.subject_key, virtual=request.place is Place.VIRTUAL,
            helped_lately=ask.alumnus_id in helped,
            asks_last_year=asked[ask.alumnus_id] - 1, month=ask.asked_at.month,
        )  # fmt: skip
        yes = draw.random() < chance_of_yes(person, facts)
        if yes or (not person.silent and draw.random() < SAYS_NO):
            answered = ask.asked_at + draw.expovariate(np.log(2)) * USUAL_DELAY
            said.append((answered, ask, request, yes))
    for moment, ask, request, yes in sorted(said, key=lambda one: (one[0], one[1].id)):
        held = ask.expires_at is not None and moment < ask.expires_at
        if held and moment < at and ask.state is AskState.OPEN:
            if yes:
                first = dates_of(session, request.id)[0]
                answers.accept(session, ask, date_id=first.id, at=moment)
            else:
                answers.decline(session, ask, how="no", at=moment)


def _lately(session: Session, people: Sequence[int], at: datetime) -> tuple[set[int], Counter[int]]:
    """Who of these helped lately, and how often each was asked in a year."""
    deeds = select(Interaction.alumnus_id).where(
        among(Interaction.alumnus_id, people), Interaction.mode == Mode.VOLUNTEER,
        Interaction.occurred_at > at - LATELY,
    )  # fmt: skip
    asks = select(Ask.alumnus_id, func.count()).where(
        among(Ask.alumnus_id, people), Ask.asked_at > at - YEAR
    )
    counts = session.execute(asks.group_by(Ask.alumnus_id)).all()
    return set(session.scalars(deeds)), Counter(dict(counts))


def _counted(session: Session, posted: Sequence[Request], nces: dict[int, str]) -> Outcome:
    outcome = Outcome()
    for request in posted:
        taken = request.places - places_left(session, request)
        school = outcome.schools.setdefault(nces[request.school_id], [0, 0])
        school[0] += taken
        school[1] += request.places
        outcome.places += request.places
        outcome.filled += taken
        asks = session.scalars(select(Ask).where(Ask.request_id == request.id)).all()
        outcome.asks.update(ask.state.value for ask in asks)
        outcome.asked.update(ask.alumnus_id for ask in asks)
        for ask in asks:
            tally = outcome.chosen.setdefault(ask.chosen_by, [0, 0])
            tally[0] += ask.state is not AskState.RELEASED
            tally[1] += ask.state is AskState.ACCEPTED
        yeses = [a.answered_at for a in asks if a.state is AskState.ACCEPTED and a.answered_at]
        if taken == request.places:
            outcome.days.append((max(yeses) - request.created_at) / timedelta(days=1))
    return outcome
