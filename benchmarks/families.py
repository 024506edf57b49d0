"""An invented district with brothers, sisters, twins, and second records whose truth is known.

Names are made of syllables and as unevenly common as in life (a few in a hundred bear the first,
most are rare). A second record comes from another list: with slips, nicknames, a married name,
blanks, and addresses of another year.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import psycopg

from crm.alumni.names import fold
from crm.duplicates.nicknames import GROUPS

SYLLABLES = [first + second for first in "bcdfghjklmnprstvwz" for second in "aeio"]
ENDS = ("n", "s", "r", "l", "son", "ez", "man", "ton", "ley", "ford", "", "a", "i", "o")
DOUBLED, TWINS, SECOND_CHILD, THIRD_CHILD = 0.02, 0.015, 0.55, 0.2
FIRST_CLASS = 1980
COLUMNS = (
    "id, given_name, middle_name, family_name, suffix, preferred_name, former_name, name_key, "
    "sort_key, birth_date, class_year, language, city, state, postal_code, ferpa_block, deceased, "
    "do_not_contact, custom, link_epoch, created_at, updated_at"
)


@dataclass
class Child:
    """One record."""

    given: str
    family: str
    former: str
    birth: date | None
    class_year: int
    city: str
    postal: str
    street: str
    email: str
    phone: str
    school: int
    system: str


def children(people: int, schools: int, seed: int) -> Iterator[tuple[Child, bool]]:
    """So many records; True for one that is about the same person as the one before it."""
    random = Random(seed)
    pool = _Pool(random)
    made = 0
    while made < people:
        for child in _household(random, pool, schools):
            yield child, False
            made += 1
            if random.random() < DOUBLED and made < people:
                yield _again(random, pool, child), True
                made += 1
            if made >= people:
                return


class _Pool:
    """Names and streets, unevenly common."""

    def __init__(self, random: Random) -> None:
        first = [line.split()[0] for line in GROUPS.split("\n") if line]
        made = dict.fromkeys((*first, *(self._name(random, 2) for _ in range(6_000))))
        self.given = list(made)
        self.family = list(dict.fromkeys(self._name(random, 3) for _ in range(60_000)))
        self.streets = [f"{self._name(random, 2)} Street" for _ in range(4_000)]
        self.nicknames = {line.split()[0]: line.split()[1:] for line in GROUPS.split("\n") if line}
        self.serial = 0

    @staticmethod
    def _name(random: Random, most: int) -> str:
        parts = random.choices(SYLLABLES, k=random.randint(1, most))
        return ("".join(parts) + random.choice(ENDS)).capitalize()

    @staticmethod
    def pick(random: Random, names: list[str]) -> str:
        """One of them, the first ones much more often."""
        return names[int(len(names) * random.random() ** 3)]


def _household(random: Random, pool: _Pool, schools: int) -> Iterator[Child]:
    family, place = pool.pick(random, pool.family), random.randrange(60)
    street = f"{random.randint(1, 999)} {random.choice(pool.streets)}"
    home, school = f"+1404{random.randint(2_000_000, 9_999_999)}", random.randrange(schools)
    birth = date(FIRST_CLASS - 18, 9, 1) + timedelta(days=random.randrange(45 * 365))
    for nth in range(3):
        if nth and random.random() > (SECOND_CHILD, THIRD_CHILD)[nth - 1]:
            return
        if nth and random.random() > TWINS:
            birth += timedelta(days=random.randint(330, 1_500))
        given = pool.pick(random, pool.given)
        pool.serial += 1
        yield Child(
            given.capitalize(), family, "", birth, birth.year + 18 + (birth.month > 8),
            f"City {place % 20}", f"30{place:03}", street,
            f"{given[:1]}{family}{pool.serial % 997}@mail.example".lower()
            if random.random() < 0.7 else "",
            f"+1678{random.randint(2_000_000, 9_999_999)}" if random.random() < 0.5 else home,
            school, "sis",
        )  # fmt: skip


def _again(random: Random, pool: _Pool, child: Child) -> Child:
    """The same person as another list knows them."""

    def chance(share: float) -> bool:
        return random.random() < share

    family, former = child.family, child.former
    if chance(0.15):
        family, former = pool.pick(random, pool.family), (family if chance(0.6) else "")
    elif chance(0.1):
        family = _slip(random, family)
    given = child.given
    if chance(0.1):
        given = random.choice(pool.nicknames.get(given.lower(), [given])).capitalize()
    elif chance(0.08):
        given = _slip(random, given)
    birth = child.birth
    if chance(0.3):
        birth = None
    elif birth and chance(0.06):
        birth = birth.replace(day=random.randint(1, 28))
    moved = chance(0.4)
    return Child(
        given, family, former, birth, child.class_year,
        "" if chance(0.3) else f"City {random.randrange(20)}" if moved else child.city,
        "" if chance(0.3) else f"30{random.randrange(60):03}" if moved else child.postal,
        "" if chance(0.5) else f"{random.randint(1, 999)} {random.choice(pool.streets)}"
        if moved else child.street,
        child.email if chance(0.4) else f"new{random.randrange(10**9)}@work.example",
        child.phone if chance(0.4) else "", child.school, "record",
    )  # fmt: skip


def _slip(random: Random, word: str) -> str:
    """A word with one letter lost, doubled, changed or exchanged with the next."""
    at = random.randrange(max(len(word) - 1, 1))
    kinds = (
        word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:],
        word[:at] + random.choice("aeirnst") + word[at + 1 :],
        word[:at] + word[at + 1 : at + 2] + word[at : at + 1] + word[at + 2 :],
    )  # fmt: skip
    return random.choice(kinds) or word


def fill(address: str, people: int, seed: int) -> set[tuple[int, int]]:
    """Put the district into an empty migrated database; answers the pairs that are one person."""
    truth: set[tuple[int, int]] = set()
    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        schools = max(6, people // 2_500)
        cursor.execute(
            """insert into school (id, name, level, status, time_zone, created_at)
            overriding system value
            select n, 'School ' || n, 'high', 'open', 'America/New_York', now()
            from generate_series(1, %s) n""",
            [schools],
        )
        cursor.execute(
            """create temporary table more (id bigint, street text, email text, phone text,
            school bigint, class_year int, system text)"""
        )
        # COPY holds the connection, so the second table gets its rows from the same draw again.
        with cursor.copy(f"copy alumnus ({COLUMNS}) from stdin") as target:
            for n, (child, same) in enumerate(children(people, schools, seed), start=1):
                target.write_row(_row(n, child))
                if same:
                    truth.add((n - 1, n))
        with cursor.copy("copy more from stdin") as target:
            for n, (child, _) in enumerate(children(people, schools, seed), start=1):
                target.write_row(
                    (n, child.street, child.email, child.phone, child.school + 1,
                     child.class_year, child.system)
                )  # fmt: skip
        for statement in SPREAD:
            cursor.execute(statement)
        connection.commit()
        cursor.execute("truncate alumnus_change")
        connection.commit()
        connection.autocommit = True
        cursor.execute("vacuum (analyze)")
    return truth


def _row(n: int, child: Child) -> tuple[object, ...]:
    given, family = fold(child.given), fold(child.family)
    moment = "2025-01-01T00:00:00+00:00"
    return (
        n, child.given, "", child.family, "", "", child.former, f"{given} {family}",
        f"{family} {given}", child.birth, child.class_year, "en", child.city or None, "GA",
        child.postal or None, False, False, False, "{}", 0, moment, moment,
    )  # fmt: skip


_CONTACT = """insert into contact_point (alumnus_id, kind, value, key, owner, status, preferred,
    source, created_at, updated_at)
    select id, '{kind}', {value}, {value}, '{owner}', 'ok', false, '', '2025-01-01', '2025-01-01'
    from more where {value} <> '' order by id"""
SPREAD = (
    """insert into schooling (alumnus_id, school_id, class_year, status)
    select id, school, class_year, 'graduated' from more order by id""",
    """insert into external_id (alumnus_id, system, value)
    select id, system, lpad(id::text, 9, '0') from more order by id""",
    _CONTACT.format(kind="email", value="email", owner="own"),
    _CONTACT.format(kind="phone", value="phone", owner="own"),
    _CONTACT.format(kind="postal", value="lower(street)", owner="parent"),
)
