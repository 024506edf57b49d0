"""Events in the demo: a reunion each spring, a talk each fall, and one that is still to come."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from crm.core.viewer import SYSTEM
from crm.events import door, service
from crm.events.answers import Reply, respond
from crm.events.inviting import invite
from crm.events.models import Answer, Event, EventKind, EventState, Invitation
from crm.events.plan import Plan
from crm.mail.models import Message, MessageState
from crm.schools.models import School, SchoolLevel

if TYPE_CHECKING:
    from demo.replay import Replay

ZONE = "America/New_York"
AHEAD = timedelta(days=30)
SOON = timedelta(days=12)
MOST_ANSWERS = 16
CAME = 0.85
ANSWERS = (("yes", 0.5), ("maybe", 0.15), ("no", 0.35))
NEEDS = ("Vegetarian", "No nuts", "Step-free entrance, please", "", "", "", "")


class Events:
    """The events of one replay. Their chances are their own, so that nothing else changes by them."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.random = Random(replay.seed + 2)

    def live(self, at: datetime) -> None:
        """What was held since the last step, then what is planned next."""
        self._wrap_up(at)
        if self.replay.passed(at, 3, 1):
            self._reunion(at, at + AHEAD, capacity=60)
        if self.replay.passed(at, 10, 5):
            self._talk(at, at + AHEAD)
        if at == self.replay.until:
            self._reunion(at, at + SOON, capacity=8, years=20)

    def _reunion(self, at: datetime, day: datetime, *, capacity: int, years: int = 10) -> None:
        year = at.year - years
        texts = {
            "en": {
                "title": f"{years} years on: reunion of the class of {year}",
                "description": "Food, music, and a walk through the **old building**.\n\n"
                "- Doors open half an hour before\n- Bring photos",
            },
            "es": {
                "title": f"{years} años después: reunión de la clase de {year}",
                "description": "Comida, música y un paseo por el **viejo edificio**.\n\n"
                "- Abrimos media hora antes\n- Traigan fotos",
            },
            "am": {
                "title": f"ከ{years} ዓመታት በኋላ፦ የ{year} ተመራቂዎች ዳግም መገናኛ",
                "description": "ምግብ፣ ሙዚቃ እና በ**ድሮው ሕንፃ** ውስጥ ጉብኝት።\n\n"
                "- በሮች ከግማሽ ሰዓት በፊት ይከፈታሉ\n- ፎቶግራፎችን ይዘው ይምጡ",
            },
        }
        self._plan(
            at, day, f"class:{year} has:email", kind=EventKind.REUNION, texts=texts,
            place="Riverbend Community Hall", address="1 Harbor Street, Riverbend",
            capacity=capacity, guests_allowed=2,
        )  # fmt: skip

    def _talk(self, at: datetime, day: datetime) -> None:
        high = select(School).where(School.level == SchoolLevel.HIGH).order_by(School.nces_id)
        schools = list(self.replay.session.scalars(high))
        school = schools[at.year % len(schools)]
        texts = {
            "en": {
                "title": f"What came after {school.name}: an evening of talks",
                "description": "Five alumni tell in ten minutes each what they do today.",
            },
            "es": {
                "title": f"Lo que vino después de {school.name}: una noche de charlas",
                "description": "Cinco exalumnos cuentan en diez minutos cada uno a qué se dedican.",
            },
            "am": {
                "title": f"ከ{school.name} በኋላ፦ የንግግር ምሽት",
                "description": "አምስት የቀድሞ ተማሪዎች ዛሬ ምን እንደሚሠሩ እያንዳንዳቸው በአሥር ደቂቃ ይናገራሉ።",
            },
        }
        self._plan(
            at, day, f"class:{at.year - 12}..{at.year - 6} has:email", kind=EventKind.TALK,
            texts=texts, school_id=school.id, place=f"Library of {school.name}",
            virtual_address="https://meet.riverbend.example/talks", guests_allowed=1,
        )  # fmt: skip

    def _plan(self, at: datetime, day: datetime, query: str, **values: object) -> None:
        starts = datetime.combine(day.date(), time(18, 30), ZoneInfo(ZONE))
        plan = Plan(starts_at=starts, ends_at=starts + timedelta(hours=3), time_zone=ZONE, **values)  # type: ignore[arg-type]
        event = service.create(self.replay.session, plan, by=SYSTEM, at=at)
        service.open_event(self.replay.session, event, by=SYSTEM, at=at)
        invite(self.replay.session, event, query, by=SYSTEM, at=at)

    def answers(self, at: datetime) -> None:
        """Some of those whose invitation arrived in this step answer."""
        session = self.replay.session
        arrived = (
            select(Invitation.id)
            .join(Event, Event.id == Invitation.event_id)
            .join(Message, Message.alumnus_id == Invitation.alumnus_id)
            .where(
                Invitation.invited_at == at, Message.origin == func.concat("event:", Event.key),
                Message.state == MessageState.ACCEPTED, Event.state == EventState.OPEN,
            )
            .order_by(Invitation.id)
        )  # fmt: skip
        ids = list(session.scalars(arrived))
        for n, invitation_id in enumerate(self.random.sample(ids, min(MOST_ANSWERS, len(ids)))):
            (said,) = self.random.choices([a for a, _ in ANSWERS], [s for _, s in ANSWERS])
            guests, needs = self.random.choice((0, 0, 1, 1, 2)), self.random.choice(NEEDS)
            moment = at + timedelta(minutes=n)
            respond(session, invitation_id, Reply(said, guests, "", needs), at=moment)
        session.commit()

    def _wrap_up(self, at: datetime) -> None:
        """Who came to what was held since the last step; they are thanked."""
        session = self.replay.session
        over = select(Event).where(
            Event.state.in_([EventState.OPEN, EventState.CLOSED, EventState.HELD]),
            Event.ends_at <= at, Event.ends_at > at - self.replay.step,
        )  # fmt: skip
        for event in session.scalars(over.order_by(Event.id)).all():
            coming = select(Invitation.alumnus_id).where(
                Invitation.event_id == event.id, Invitation.answer == Answer.COMING
            )
            for alumnus_id in session.scalars(coming.order_by(Invitation.id)).all():
                if self.random.random() < CAME:
                    door.check_in(session, event, alumnus_id, by=SYSTEM, at=event.starts_at)
            if event.state is not EventState.HELD:
                service.hold(session, event, by=SYSTEM, at=at)
            service.thank(session, event, by=SYSTEM, at=at)
