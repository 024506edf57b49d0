"""Schools' requests in the demo: posted, matched, asked, answered by the model, done and thanked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from crm.accounts.access import viewer_for
from crm.accounts.service import invite
from crm.core import clock
from crm.core.viewer import SYSTEM, Role, Viewer
from crm.interactions.models import Interaction, Mode
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageState
from crm.schools.models import School
from demo.people import ASKED_FOR, FIELDS, WAYS, ZONE
from demo.readers import Read
from demo.truth import COMES, LATELY, YEAR, AskFacts, answer
from segments.asks import answers
from segments.asks.afterwards import confirm_attendance
from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.clearance.rules import months_after
from segments.clearance.service import record_clearance
from segments.desk.advance import advance
from segments.mentoring.daily import advance_pairs
from segments.requests.draft import Draft, Slot
from segments.requests.models import GradeBand, Place, Request, Supervision
from segments.requests.queries import dates_of
from segments.requests.service import approve, create_request

if TYPE_CHECKING:
    from demo.replay import Replay

COORDINATOR = "coordinator@riverbend.example"
ROUNDS = tuple(timedelta(days=days) for days in (0, 8))
REQUESTS_A_STEP = 3.6
"""For each 5,000 people."""
TITLES = {
    "speak": "A talk about working in {subject}", "mentor": "A mentor for a senior project in {subject}",
    "job_shadow": "A day at work in {subject}", "judge": "A judge for the {subject} fair",
    "tutor": "After-school help with {subject}", "host": "A class visit to {subject}",
}  # fmt: skip


class Desk:
    """The request desk of one replay: its schools, its staff, its open asks."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.schools: list[School] = []
        self.numbers: dict[int, str | None] = {}
        self.teachers: dict[int, Viewer] = {}
        self.seen: set[int] = set()
        self.checked_until: dict[int, date] = {}

    def begin(self, at: datetime) -> None:
        """The district's staff: a coordinator, a liaison a cluster, a teacher a school."""
        session = self.replay.session
        self.schools = list(session.scalars(select(School).order_by(School.nces_id)))
        self.numbers = {school.id: school.nces_id for school in self.schools}
        invite(
            session,
            email=COORDINATOR,
            role=Role.COORDINATOR,
            name="Jo Alvarado-Lind",
            by=SYSTEM,
            at=at,
        )
        clusters = sorted({s.cluster_id for s in self.schools if s.cluster_id})
        for n, cluster in enumerate(clusters, start=1):
            invite(
                session,
                email=f"liaison{n}@riverbend.example",
                role=Role.LIAISON,
                name=f"Liaison {n}",
                cluster_ids=[cluster],
                by=SYSTEM,
                at=at,
            )
        for n, school in enumerate(self.schools, start=1):
            user, _link = invite(
                session,
                email=f"teacher{n}@riverbend.example",
                role=Role.SCHOOL,
                name=f"Teacher {n}",
                school_ids=[school.id],
                by=SYSTEM,
                at=at,
            )
            self.teachers[school.id] = viewer_for(session, user)

    def open(self, at: datetime) -> None:
        """What schools say of the visits that were, and what they ask for next."""
        self._visits(at)
        self._post(at)

    def live(self, at: datetime) -> None:
        """Rounds of asking and answering; what else is due is mailed with the first."""
        for wait in ROUNDS:
            moment = at + wait
            if moment > self.replay.until:
                return
            with clock.at(moment):
                self.replay.session.commit()
                advance(moment)
                advance_pairs(moment)
                deliver(self.replay.app, at=moment)
            self._answers(min(moment + timedelta(days=1), self.replay.until))

    def _post(self, at: datetime) -> None:
        """What schools ask for in ten weeks of term; the coordinator approves it."""
        random, session = self.replay.random, self.replay.session
        if at.month in {7, 8}:
            return
        expected = REQUESTS_A_STEP * max(0.4, self.replay.count / 5000)
        for _ in range(int(expected) + (random.random() < expected % 1)):
            school = random.choice(self.schools)
            way = random.choices(WAYS, ASKED_FOR)[0]
            subject = random.choice([subject for _jobs, subject, _share in FIELDS.values()])
            level = {"high": GradeBand.G9_12, "middle": GradeBand.G6_8}.get(
                school.level, GradeBand.K_5
            )
            virtual = way in {"speak", "tutor"} and random.random() < 0.35
            draft = Draft(
                school_id=school.id, way_key=way, subject_key=subject, grade_band=level,
                title=TITLES[way].format(subject=subject.replace("_", " ")),
                slots=tuple(self._slot(at, 18 + 7 * k) for k in range(random.randint(1, 2))),
                pupils=random.randint(12, 60), places=2 if way in {"judge", "mentor"} else 1,
                place=Place.VIRTUAL if virtual else Place.SCHOOL, supervision=Supervision.SUPERVISED,
            )  # fmt: skip
            request = create_request(session, draft, by=self.teachers[school.id], at=at)
            approve(session, request, by=SYSTEM, at=at)
            request.auto = True

    def _slot(self, at: datetime, days: int) -> Slot:
        day = (at + timedelta(days=days)).date()
        if (day.month, day.day) > (12, 20) or (day.month, day.day) < (1, 4):
            day += timedelta(weeks=3)  # Nobody teaches over the turn of the year.
        day += timedelta(days=max(0, 7 - day.isoweekday()) % 7 if day.isoweekday() > 5 else 0)
        if day.isoweekday() == 7:
            day += timedelta(days=1)
        begins = datetime.combine(day, time(10, 0), ZONE)
        return Slot(begins, begins + timedelta(hours=1))

    def _answers(self, at: datetime) -> None:
        """Everybody who was asked and got the mail answers, or does not, by the model."""
        random, session = self.replay.random, self.replay.session
        for ask, request, asks_before, helped in self._open_asks(at):
            person = self.replay.people.get(ask.alumnus_id)
            self.seen.add(ask.id)
            if person is None:
                continue
            facts = AskFacts(
                way=ask.way_key, own_school=self.numbers[request.school_id] == person.school.nces_id,
                subject=request.subject_key, virtual=request.place is Place.VIRTUAL,
                helped_lately=bool(helped), asks_last_year=asks_before - 1, month=at.month,
            )  # fmt: skip
            said = answer(random, person, facts)
            if said == "accepted":
                first = next(iter(dates_of(session, request.id)), None)
                if first is not None and first.starts_at > at:
                    answers.accept(session, ask, date_id=first.id, at=at)
            elif said == "declined":
                answers.decline(session, ask, how="no", at=at)
        session.commit()

    def _open_asks(self, at: datetime) -> list[tuple[Ask, Request, int, int]]:
        """Asks that arrived and wait, with how often the person was asked and helped lately."""
        earlier, deed = Ask.__table__.alias("earlier"), Interaction
        asked = select(func.count()).where(
            earlier.c.alumnus_id == Ask.alumnus_id, earlier.c.asked_at > at - YEAR
        )
        helped = select(func.count()).where(
            deed.alumnus_id == Ask.alumnus_id, deed.mode == Mode.VOLUNTEER,
            deed.occurred_at > at - LATELY,
        )  # fmt: skip
        arrived = and_(
            Message.origin == func.concat("ask:", Ask.id), Message.state == MessageState.ACCEPTED
        )
        statement = (
            select(Ask, Request, asked.scalar_subquery(), helped.scalar_subquery())
            .join(Request, Request.id == Ask.request_id)
            .where(Ask.state == AskState.OPEN, select(Message.id).where(arrived).exists())
            .order_by(Ask.id)
        )
        rows = self.replay.session.execute(statement).all()
        return [(a, r, n, h) for a, r, n, h in rows if a.id not in self.seen]

    def _visits(self, at: datetime) -> None:
        """Schools say how the visits of the last ten weeks went; whoever came is thanked."""
        random, session = self.replay.random, self.replay.session
        over = select(Commitment, Request).join(Request, Request.id == Commitment.request_id)
        over = over.where(Commitment.state == CommitmentState.PLANNED, Commitment.ends_at < at)
        for commitment, request in session.execute(over.order_by(Commitment.id)).all():
            if random.random() < 0.08:
                continue  # Some teachers never say how it went; the desk reminds them.
            confirm_attendance(
                session, commitment, attended=random.random() < COMES, pupils=request.pupils,
                by=self.teachers[request.school_id], at=at,
            )  # fmt: skip

    def clear(self, offered: list[Read], at: datetime) -> None:
        """Most of those who offer help are cleared to work with pupils under supervision."""
        day = at.astimezone(ZONE).date()
        for mail in offered:
            if self.replay.random.random() < 0.7:
                self._check(mail.alumnus_id, day, at)

    def check(self, came: Iterable[tuple[str, datetime]], at: datetime) -> None:
        """Those who came to a class were checked just before (by their number)."""
        ids = {person.student_number: id_ for id_, person in self.replay.people.items()}
        for number, moment in came:
            if number in ids:
                self._check(ids[number], moment.astimezone(ZONE).date() - timedelta(days=3), at)

    def _check(self, alumnus_id: int, day: date, at: datetime) -> None:
        """A check of the background, unless an earlier one holds, or this one is over already."""
        today = at.astimezone(ZONE).date()
        if day < self.checked_until.get(alumnus_id, day) or months_after(day, 24) <= today:
            return
        held = record_clearance(
            self.replay.session, alumnus_id, level=2, granted_on=day, by=SYSTEM, at=at
        )
        self.checked_until[alumnus_id] = held.expires_on
