"""The invented people of the demo district: where they went, what they do, how they will behave.

Traits that decide behaviour (`warmth`, `silent`, `scanned`, `moves_at`) never enter the program: the
replay alone uses them, by the model written down in `docs/demo-data.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

from anyascii import anyascii

from demo.names import Name, draw_name

CLASSES = 45
MAIL_HOSTS = ("mail.example", "post.example", "inbox.example", "letters.example")
SCHOOL_HOST = "students.riverbend.example"


@dataclass(frozen=True)
class DemoSchool:
    """A school of the invented district."""

    nces_id: str
    code: str
    name: str
    level: str
    cluster: str
    city: str
    postal_code: str
    opened: int = 1900


CLUSTERS = ("Riverbend North", "Harbor Heights", "Old Mill", "Cedar Valley")
_PLACES = {
    "Riverbend North": ("Riverbend", "00501"),
    "Harbor Heights": ("Riverbend", "00502"),
    "Old Mill": ("Milltown", "00511"),
    "Cedar Valley": ("Cedar Valley", "00521"),
}
_NAMES = (
    ("Ida Fairbrook High School", "High", 0), ("North Shore Early College", "High", 0),
    ("Harbor Heights High School", "High", 1), ("Old Mill High School", "High", 2),
    ("Milltown Academy of the Arts", "High", 2), ("Cedar Valley High School", "High", 3),
    ("Riverbend Middle School", "Middle", 0), ("Lighthouse Middle School", "Middle", 1),
    ("Old Mill Middle School", "Middle", 2), ("Cedar Middle School", "Middle", 3),
    ("Ferry Street Elementary", "Elementary", 0), ("Lantern Hill Elementary", "Elementary", 1),
    ("Granary Elementary", "Elementary", 2), ("Juniper Elementary", "Elementary", 3),
)  # fmt: skip


def schools() -> list[DemoSchool]:
    """The district's schools, the high schools first; NCES ids of a state that does not exist."""
    found = []
    for n, (name, level, cluster) in enumerate(_NAMES, start=1):
        place = CLUSTERS[cluster]
        city, postal_code = _PLACES[place]
        nces = f"9900120{n:05d}"
        found.append(DemoSchool(nces, f"{100 + n}", name, level, place, city, postal_code))
    return found


# field of work → (jobs, subject, ways that come naturally, share)
FIELDS = {
    "Health care": (
        ("Nurse", "Physician assistant", "Dental hygienist", "Paramedic"),
        "health",
        0.16,
    ),
    "Technology": (
        ("Software developer", "Network technician", "Data analyst"),
        "technology",
        0.12,
    ),
    "Engineering": (("Civil engineer", "Surveyor", "Mechanical designer"), "engineering", 0.07),
    "Education": (("Teacher", "School counselor", "Librarian"), "education", 0.10),
    "Law and government": (("Paralegal", "City planner", "Attorney"), "law", 0.06),
    "Business": (("Accountant", "Store manager", "Loan officer"), "business", 0.15),
    "Skilled trades": (("Electrician", "Welder", "Carpenter", "HVAC technician"), "trades", 0.12),
    "Arts": (("Graphic designer", "Musician", "Stage manager"), "arts", 0.05),
    "Media": (("Reporter", "Video editor"), "media", 0.03),
    "Public safety": (("Firefighter", "Police officer", "Dispatcher"), "public_safety", 0.06),
    "Hospitality": (("Chef", "Hotel manager"), "hospitality", 0.08),
}
EMPLOYERS = (
    "Riverbend General", "Delmarine Freight", "City of Riverbend", "Harborlight Credit Union", "Northgate Labs",
    "Millstone Builders", "Cedar Valley Clinic", "Lantern Software", "Riverbend Public Schools", "Ferryman Foods",
    "Tidewater Electric", "self-employed",
)  # fmt: skip
COLLEGES = (
    "Riverbend State",
    "Cedar Technical College",
    "Harbor University",
    "Northern Plains College",
)
TOWNS = (
    ("Riverbend", "00501"),
    ("Milltown", "00511"),
    ("Cedar Valley", "00521"),
    ("Farview", "00699"),
)
WAYS = ("speak", "mentor", "job_shadow", "judge", "tutor", "host")
ASKED_FOR = (0.4, 0.16, 0.14, 0.14, 0.1, 0.06)
"""How often schools ask for each of `WAYS`."""
ZONE = ZoneInfo("America/New_York")


@dataclass
class Person:
    """One invented person, with the traits that the behaviour model draws on."""

    n: int
    name: Name
    school: DemoSchool
    class_year: int
    birth_date: date
    email: str
    parent_email: str
    phone: str
    street: str
    city: str
    postal_code: str
    field: str
    job: str
    employer: str
    college: str
    ferpa_block: bool
    opted_out: bool
    deceased: bool
    warmth: float
    silent: bool
    scanned: bool
    moves_at: date | None
    favourite_way: str

    @property
    def student_number(self) -> str:
        """The district's own number, with leading zeros."""
        return f"{self.n:08d}"

    @property
    def school_email(self) -> str:
        """The pupil address that dies ninety days after graduation."""
        return f"s{self.n}@{SCHOOL_HOST}"


def population(count: int, *, seed: int, today: date) -> Iterator[Person]:
    """`count` people of 45 graduating classes and this year's seniors, oldest class first."""
    random = Random(seed)
    newest = today.year if today.month >= 6 else today.year - 1
    years = [*range(newest - CLASSES + 1, newest + 1), newest + 1]
    places = [s for s in schools() if s.level == "High"]
    weights = [0.24, 0.06, 0.22, 0.2, 0.08, 0.2]
    # Later classes are better known than those of forty years ago.
    sizes = [0.6 + 0.4 * i / CLASSES for i in range(len(years))]
    total = sum(sizes)
    given_out = 0
    for position, (year, size) in enumerate(zip(years, sizes, strict=True)):
        last = position == len(years) - 1
        share = count - given_out if last else round(count * size / total)
        for n in range(given_out + 1, given_out + share + 1):
            school = random.choices(places, weights)[0]
            yield draw_person(random, n, school, year, today)
        given_out += share


def draw_person(random: Random, n: int, school: DemoSchool, year: int, today: date) -> Person:
    """One person with name, address, work and traits."""
    name = draw_name(random)
    years_out = max(0, today.year - year)
    kinds = list(FIELDS)
    field = random.choices(kinds, [FIELDS[k][2] for k in kinds])[0] if years_out >= 2 else ""
    knows_work = bool(field) and random.random() < 0.6
    stays = random.random() < max(0.35, 0.75 - years_out * 0.012)
    city, postal_code = random.choice(TOWNS[:3]) if stays else TOWNS[3]
    local = ".".join(
        w for w in anyascii(f"{name.given} {name.family}").lower().split() if w.isascii()
    )
    local = "".join(c for c in local if c.isalnum() or c == ".").strip(".") or "friend"
    has_email = random.random() < 0.86 - 0.006 * years_out
    born = date(year - 18, 1 + random.randrange(12), 1 + random.randrange(28))
    return Person(
        n=n, name=name, school=school, class_year=year, birth_date=born,
        email=f"{local}.{n}@{random.choice(MAIL_HOSTS)}" if has_email else "",
        parent_email=f"parent.{n}@{random.choice(MAIL_HOSTS)}" if random.random() < 0.6 else "",
        phone=f"404555{random.randrange(10_000):04d}" if random.random() < 0.5 else "",
        street=f"{1 + random.randrange(999)} {random.choice(('Ferry', 'Juniper', 'Granary', 'Lantern'))} Street",
        city=city, postal_code=postal_code,
        field=field if knows_work else "",
        job=random.choice(FIELDS[field][0]) if knows_work else "",
        employer=random.choice(EMPLOYERS) if knows_work else "",
        college=random.choice(COLLEGES) if random.random() < 0.45 and years_out else "",
        ferpa_block=random.random() < 0.02, opted_out=random.random() < 0.015,
        deceased=random.random() < max(0.0, 0.002 * (years_out - 15)),
        warmth=random.gauss(0.0, 1.0) - 0.15 * abs(math.log1p(years_out) - 2.2),
        silent=random.random() < 0.25, scanned=random.random() < 0.2,
        moves_at=today - timedelta(days=random.randrange(5 * 365)) if random.random() < 0.14 else None,
        favourite_way=random.choices(WAYS, (0.3, 0.22, 0.16, 0.14, 0.1, 0.08))[0],
    )  # fmt: skip
