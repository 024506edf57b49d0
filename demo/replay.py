"""Five years of a district's history, moved through the real import, engine and mail code."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import ExternalId
from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from crm.imports.interactions import import_interactions
from crm.imports.schools import import_schools
from crm.imports.service import import_people
from crm.mail.content import Variant, ship_all
from demo import files, readers
from demo.desk import Desk
from demo.events import Events
from demo.lists import Lists
from demo.people import Person, population
from lifecycle.campaigns import service as campaigns
from lifecycle.engine.service import advance
from lifecycle.journeys import service as journeys

YEARS = 5
STEP = timedelta(days=70)
HOUR = time(16, 0, tzinfo=UTC)
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Mailing:
    """A campaign that the office sends each year in one month."""

    month: int
    name: str
    goal: str
    query: str
    topic: str
    texts: dict[str, Variant]


MAILINGS = (
    Mailing(
        2, "Winter news", "Connect early and for life", "has:email", "news",
        {
            "en": Variant("What your school did this winter, {{ first_name | friend }}", "Three short stories",
                "Hello {{ first_name | there }},\n\nRobotics went to the state finals, the choir sang at the harbor, and 212 seniors sent off college applications.\n\n"
                "**Is your address still right?** It takes forty seconds:\n\n[Look at what we hold]({{ profile_link }})\n\nThe alumni office"),
            "es": Variant("Lo que hizo tu escuela este invierno, {{ first_name | amigo }}", "Tres historias cortas",
                "Hola {{ first_name | amigo }}:\n\nRobótica llegó a la final estatal, el coro cantó en el puerto y 212 estudiantes enviaron sus solicitudes a la universidad.\n\n"
                "**¿Tu dirección sigue siendo correcta?** Son cuarenta segundos:\n\n[Ver lo que sabemos de ti]({{ profile_link }})\n\nLa oficina de exalumnos"),
            "am": Variant("ትምህርት ቤትዎ በዚህ ክረምት ያደረገው፣ {{ first_name | ወዳጃችን }}", "ሦስት አጫጭር ታሪኮች",
                "ሰላም {{ first_name | ወዳጃችን }}፣\n\nየሮቦት ቡድኑ ለክፍለ ግዛቱ ፍጻሜ ደርሷል፣ የመዘምራን ቡድኑ በወደቡ ዘምሯል፣ 212 የመጨረሻ ዓመት ተማሪዎችም የኮሌጅ ማመልከቻ ልከዋል።\n\n"
                "**አድራሻዎ አሁንም ትክክል ነው?** አርባ ሰከንድ ይበቃል፦\n\n[ስለ እኔ የያዛችሁትን አሳዩኝ]({{ profile_link }})\n\nየቀድሞ ተማሪዎች ቢሮ"),
        },
    ),
    Mailing(
        4, "Open house", "Bring alumni back into schools", 'has:email class:1996.. (city:Riverbend or city:Milltown or city:"Cedar Valley")', "events",
        {
            "en": Variant("Open house at your school on the last Friday of April", "Come and see the new labs",
                "Hello {{ first_name | there }},\n\nDoors open at five. Teachers you may remember will be there, and so will pupils who would like to hear what you do.\n\n[Tell us you are coming]({{ profile_link }})"),
            "es": Variant("Puertas abiertas en tu escuela el último viernes de abril", "Ven a ver los laboratorios",
                "Hola {{ first_name | amigo }}:\n\nAbrimos a las cinco. Estarán profesores que quizá recuerdes y estudiantes que quieren saber a qué te dedicas.\n\n[Cuéntanos que vienes]({{ profile_link }})"),
            "am": Variant("በኤፕሪል የመጨረሻ ዓርብ በትምህርት ቤትዎ የጉብኝት ቀን", "አዳዲሶቹን ቤተ ሙከራዎች መጥተው ይመልከቱ",
                "ሰላም {{ first_name | ወዳጃችን }}፣\n\nበሮች በ5:00 ከሰዓት በኋላ (5 PM) ይከፈታሉ። የሚያስታውሷቸው መምህራን፣ እንዲሁም ምን እንደሚሠሩ መስማት የሚፈልጉ ተማሪዎች ይገኛሉ።\n\n[እንደሚመጡ ይንገሩን]({{ profile_link }})"),
        },
    ),
    Mailing(
        9, "Help a class", "Adults from many careers in every classroom", "has:email class:1990..", "volunteering",
        {
            "en": Variant("One hour, one class, your story", "What schools ask for this fall",
                "Hello {{ first_name | there }},\n\nThis fall teachers are looking for people who can talk about their work for an hour, in person or by video.\n\n[Say how you would like to help]({{ profile_link }})"),
            "es": Variant("Una hora, una clase, tu historia", "Lo que piden las escuelas este otoño",
                "Hola {{ first_name | amigo }}:\n\nEste otoño hay docentes que buscan personas que hablen de su trabajo durante una hora, en persona o por video.\n\n[Di cómo te gustaría ayudar]({{ profile_link }})"),
            "am": Variant("አንድ ሰዓት፣ አንድ ክፍል፣ የእርስዎ ታሪክ", "ትምህርት ቤቶች በዚህ መኸር የሚፈልጉት",
                "ሰላም {{ first_name | ወዳጃችን }}፣\n\nበዚህ መኸር መምህራን ስለ ሥራቸው ለአንድ ሰዓት በአካል ወይም በቪዲዮ ሊናገሩ የሚችሉ ሰዎችን ይፈልጋሉ።\n\n[እንዴት መርዳት እንደምፈልግ ልንገራችሁ]({{ profile_link }})"),
        },
    ),
)  # fmt: skip


@dataclass
class Replay:
    """One district's five years, up to `until`."""

    app: Flask
    count: int
    seed: int
    until: datetime
    folder: Path
    progress: Progress
    people: dict[int, Person] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(self.seed + 1)
        self.start = datetime.combine(self.until.date() - YEARS * timedelta(days=365), HOUR)
        everybody = population(self.count, seed=self.seed, today=self.until.date())
        self.by_number = {person.student_number: person for person in everybody}
        self.read_until = self.start
        self.pending: list[readers.Telling] = []
        self.desk = Desk(self)
        self.events = Events(self)
        self.lists = Lists(self)

    @property
    def step(self) -> timedelta:
        """How much time passes between two moments, at most."""
        return STEP

    @property
    def session(self) -> Session:
        """The session of the app context that the replay runs in."""
        return db.session()

    def run(self) -> None:
        """Live through the years, ten weeks a step."""
        with self._at(self.start):
            self._begin()
        moments = list(self._moments())
        for n, moment in enumerate(moments):
            with self._at(moment):
                self._live(moment)
            self.progress(f"{moment:%B %Y}", (n + 1) / len(moments))

    def _moments(self) -> Iterator[datetime]:
        moment = self.start + STEP
        while moment < self.until:
            yield moment
            moment += STEP
        yield self.until

    @contextmanager
    def _at(self, moment: datetime) -> Iterator[None]:
        with clock.at(moment):
            yield
            self.session.commit()

    def _begin(self) -> None:
        """The first day: schools, what the office had, the two journeys."""
        at, newest = self.start, self._newest_class(self.start.date())
        import_schools(
            self.session, files.write_schools(self.folder / "schools.csv"), at=at, by=SYSTEM
        )
        known = [p for p in self.by_number.values() if p.class_year <= newest]
        self._import(files.write_office_spreadsheet(self.folder / "alumni-office.csv", known), at)
        ship_all(self.session, at)
        for path in sorted(Path(self.app.root_path, "journeys").glob("*.yaml")):
            journeys.publish(self.session, path.read_text(), name=path.name, by=SYSTEM, at=at)
        self.desk.begin(at)
        self.lists.begin(at)

    @staticmethod
    def _newest_class(day: date) -> int:
        return day.year if (day.month, day.day) >= (6, 1) else day.year - 1

    def _import(self, path: Path, at: datetime) -> None:
        import_people(self.session, path, at=at, by=SYSTEM)
        self.session.commit()
        known = select(ExternalId.alumnus_id, ExternalId.value)
        for alumnus_id, value in self.session.execute(known):
            if value in self.by_number:
                self.people[alumnus_id] = self.by_number[value]

    def _live(self, at: datetime) -> None:
        """Ten weeks: files, answers to what came before, then what goes out next."""
        self._rosters(at)
        self.lists.live(at)
        self._react(at)
        self.desk.open(at)
        self._mailings(at)
        self.events.live(at)
        self.session.commit()
        advance(at)
        self.desk.live(at)
        self.events.answers(at)

    def passed(self, at: datetime, month: int, day: int) -> bool:
        """Whether that day of a year fell within the last step."""
        return at - STEP < datetime.combine(date(at.year, month, day), HOUR) <= at

    def _rosters(self, at: datetime) -> None:
        if self.passed(at, 6, 10):
            self._roster(at, at.year, graduated=True)
        if self.passed(at, 10, 1):
            self._roster(at, at.year + 1, graduated=False)

    def _roster(self, at: datetime, year: int, *, graduated: bool) -> None:
        pupils = [p for p in self.by_number.values() if p.class_year == year]
        name = f"{'graduates' if graduated else 'seniors'}-{year}.txt"
        path = self.folder / name
        files.write_roster(path, pupils, graduated=graduated, left_on=date(year, 6, 1))
        self._import(path, at)

    def _react(self, at: datetime) -> None:
        """What readers did with the mails of the step before."""
        mails = readers.mails_since(self.session, self.people, self.read_until, at)
        self.read_until = at
        done = readers.react(self.random, mails)
        self.pending += done.told
        readers.tell(self.session, self.pending, at=at)
        self.pending = [told for told in self.pending if told["timestamp"] > at.timestamp()]
        offered = list(readers.save_profiles(self.session, self.random, done.clicked, at=at))
        self.desk.clear(offered, at)
        readers.leave(self.session, done.left, at=at)
        readers.reply(self.session, done.replied, at=at)
        self._attend([m for m in done.clicked if m.topic_key == "events"], at)

    def _attend(self, invited: list[readers.Read], at: datetime) -> None:
        """Some of those who clicked on an invitation came; the office brings the list as a file."""
        came = [mail for mail in invited if self.random.random() < 0.45]
        if not came:
            return
        path = self.folder / f"event-{at:%Y-%m-%d}.csv"
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            writer.writerow(
                ["person_id", "occurred_at", "kind", "mode", "school_id", "hours", "amount", "note"]
            )
            for mail in came:
                person, evening = mail.person, at - timedelta(days=1)
                row = [evening.isoformat(), "event_attended", "experiential", person.school.nces_id]
                writer.writerow([person.student_number, *row, "2", "", "Open house"])
                if self.random.random() < 0.08:
                    gift = [evening.isoformat(), "gift", "philanthropic", person.school.nces_id]
                    writer.writerow([person.student_number, *gift, "", "25", "Library fund"])
        import_interactions(self.session, path, at=at, by=SYSTEM)

    def _mailings(self, at: datetime) -> None:
        for mailing in MAILINGS:
            if self.passed(at, mailing.month, 10):
                self._mail(mailing, at)

    def _mail(self, mailing: Mailing, at: datetime) -> None:
        draft = campaigns.Draft(
            f"{mailing.name} {at.year}", mailing.goal, mailing.query, mailing.topic
        )
        campaign = campaigns.create(self.session, draft, by=SYSTEM, at=at)
        for language, text in mailing.texts.items():
            campaigns.write(self.session, campaign, language, text, by=SYSTEM, at=at)
        campaigns.schedule(self.session, campaign, send_at=at, by=SYSTEM, at=at)
