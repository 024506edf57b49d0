"""Random queries and the people they are asked of, with a second, naive answer in Python."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st

from crm.alumni.models import Alumnus, Schooling, SchoolingStatus
from crm.query.nodes import All, Either, Node, Not, One, Range, Term, all_of, any_of, negated
from tests.factories import Make

GIVEN = ("Ana", "Anabel", "Ána María", "Bob", "Zoë", "Nguyễn")
FAMILY = ("Núñez", "O'Brien", "Smith-Jones", "Stone", "")
CITIES = ("Macon", "New York", "Île-de-Rome", None)
EMPLOYERS = ("Delta Air Lines", "Ångström & Sons", "50% Off_Shop", None)
YEARS = (1999, 2014, 2015, 2016, None)
WAYS = ("mentor", "speak", "judge")
SUBJECTS = ("health", "law")
SCHOOLS = ("Booker T. Washington", "Maynard Jackson", "North Atlanta")


@dataclass
class Known:
    """A person as plain facts."""

    id: int
    words: set[str]
    class_year: int | None
    school: str
    school_ids: set[int]
    city: str
    employer: str
    language: str
    ways: set[str]
    subjects: set[str]
    flags: set[str] = field(default_factory=set)
    added: datetime | None = None
    blocked: bool = False
    merged: bool = False


def simple(text: str) -> str:
    """Lower case without accents, by a table that has nothing to do with the program's."""
    table = {
        "á": "a", "é": "e", "í": "i", "ú": "u", "ñ": "n", "ë": "e", "å": "a", "ö": "o", "î": "i",
        "ễ": "e",
    }  # fmt: skip
    return "".join(table.get(c, c) for c in text.lower())


def people(make: Make, seed: int, amount: int = 14) -> list[Known]:
    """A small population drawn by chance."""
    draw = random.Random(seed)
    schools = [make.school(name) for name in SCHOOLS]
    found = []
    for _ in range(amount):
        school = draw.choice(schools)
        given, family = draw.choice(GIVEN), draw.choice(FAMILY)
        ways = {way for way in WAYS if draw.random() < 0.3}
        subjects = {subject for subject in SUBJECTS if draw.random() < 0.3}
        known = Known(
            id=0, words=set(simple(f"{given} {family}").replace("'", "").replace("-", " ").split()),
            class_year=draw.choice(YEARS), school=school.name, school_ids={school.id},
            city=draw.choice(CITIES) or "", employer=draw.choice(EMPLOYERS) or "",
            language=draw.choice(("en", "es")), ways=ways, subjects=subjects,
            added=make.at - timedelta(days=draw.choice((0.5, 29, 31, 400))),
            blocked=draw.random() < 0.2,
        )  # fmt: skip
        deceased, email = draw.random() < 0.3, draw.random() < 0.6
        person: Alumnus = make.alumnus(
            given, family, school=school, class_year=known.class_year, city=known.city or None,
            employer=known.employer or None, language=known.language, ways=tuple(ways),
            subjects=tuple(subjects), email="auto" if email else None, deceased=deceased,
            created_at=known.added, ferpa_block=known.blocked,
        )  # fmt: skip
        known.id = person.id
        known.flags = {
            *(["is:deceased"] if deceased else []), *(["has:email"] if email else []),
            *(["is:blocked"] if known.blocked else []), *(["has:way"] if ways else []),
            *(["has:work"] if known.employer else []), "is:graduated",
        }  # fmt: skip
        found.append(known)
    first, second = found[:2]
    row = make.session.get_one(Alumnus, first.id)
    row.merged_into_id, first.merged = second.id, True
    extra = Schooling(
        alumnus_id=second.id, school_id=schools[0].id, status=SchoolingStatus.GRADUATED
    )
    if schools[0].id not in second.school_ids:
        make.save(extra)
        second.school_ids.add(schools[0].id)
        second.school += f" & {schools[0].name}"
    return found


def one(text: str) -> One:
    """A value as somebody types it: in quotation marks if it needs them."""
    return One(text, quoted=" " in text or "," in text)


def term(name: str, *values: One | Range) -> Term:
    return Term(name, values)


def ranges(low: int, high: int) -> st.SearchStrategy[Range]:
    ends = st.integers(low, high)
    pairs = st.tuples(ends, ends).map(sorted)
    closed = pairs.map(lambda p: Range(One(str(p[0])), One(str(p[1]))))
    return st.one_of(
        closed,
        ends.map(lambda n: Range(One(str(n)), None)),
        ends.map(lambda n: Range(None, One(str(n)))),
    )


def lists(name: str, values: tuple[str, ...]) -> st.SearchStrategy[Term]:
    chosen = st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
    return chosen.map(lambda texts: Term(name, tuple(one(text) for text in texts)))


TERMS = st.one_of(
    lists("name", ("an", "ána", "nunez", "OBRIEN", "jones", "z", "nguyen", "zz")),
    lists("class", ("2014", "2015", "1999")),
    ranges(1998, 2017).map(lambda r: term("class", r)),
    lists("city", ("macon", "york", "New Y", "rome", "ile")),
    lists("employer", ("delta", "angstrom", "air", "50%", "off_", "sons")),
    lists("way", WAYS),
    lists("subject", SUBJECTS),
    lists("lang", ("en", "es")),
    lists("school", ("Booker T. Washington", "jackson", "north")),
    lists("is", ("deceased", "blocked", "graduated")),
    lists("has", ("email", "way", "work")),
    st.sampled_from(["30d", "1y", "2w"]).map(lambda age: term("added", One(age))),
    st.just(term("added", Range(One("30d"), One("1y")))),
    st.just(term("added", Range(One("30d"), None))),
)
QUERIES: st.SearchStrategy[Node] = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(all_of),
        st.lists(inner, min_size=1, max_size=3).map(any_of),
        inner.map(negated),
    ),
    max_leaves=8,
)
AGES = {"30d": 30, "1y": 365, "2w": 14}


def matches(node: Node, person: Known, at: datetime) -> bool:
    """Whether a person is meant, worked out fact by fact."""
    if isinstance(node, Not):
        return not matches(node.item, person, at)
    if isinstance(node, All):
        return all(matches(item, person, at) for item in node.items)
    if isinstance(node, Either):
        return any(matches(item, person, at) for item in node.items)
    return any(holds(node.field, value, person, at) for value in node.values)


def holds(name: str, value: One | Range, person: Known, at: datetime) -> bool:
    """Whether one value of a field holds."""
    if isinstance(value, Range):
        low = value.low.text if value.low else None
        high = value.high.text if value.high else None
        if name == "class":
            year = person.class_year
            return year is not None and int(low or 0) <= year <= int(high or 9999)
        assert person.added is not None
        days = (at - person.added).total_seconds() / 86_400
        return AGES.get(low or "", 0) <= days <= AGES.get(high or "", 10**6)
    text = value.text
    if name in ("is", "has"):
        return f"{name}:{text}" in person.flags
    if name == "name":
        return any(word.startswith(simple(text)) for word in person.words)
    if name in ("city", "employer"):
        return f" {simple(text)}" in " " + simple(getattr(person, name)).replace("-", " ")
    if name in ("way", "subject"):
        return text in getattr(person, f"{name}s")
    if name == "added":
        assert person.added is not None
        return person.added >= at - timedelta(days=AGES[text])
    if name == "school":
        return text.lower() in person.school.lower()
    return text == str({"class": person.class_year, "lang": person.language}[name])
