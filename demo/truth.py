"""How the invented people behave: the model of `docs/demo-data.md`, and nothing else knows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from demo.people import FIELDS, Person


def logistic(x: float) -> float:
    """The logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


YEAR, LATELY = timedelta(days=365), timedelta(days=548)
BUSY = (1, 5, 6, 12)
"""Months in which people have less time: the turn of the year, and when school ends."""
SAYS_NO, COMES = 0.55, 0.93


@dataclass(frozen=True)
class AskFacts:
    """What the chance of a yes depends on besides the person; `month` is 1 to 12."""

    way: str
    own_school: bool
    subject: str | None
    virtual: bool
    helped_lately: bool
    asks_last_year: int
    month: int


def chance_of_click(person: Person, *, profile: bool) -> float:
    """The chance that a person follows a link of one mail."""
    if person.silent:
        return 0.0
    return logistic(-2.6 + 0.8 * person.warmth + (0.5 if profile else 0.0))


def chance_of_offer(person: Person) -> float:
    """The chance that somebody saving their profile offers their favourite way to help."""
    return logistic(0.3 + 0.9 * person.warmth)


def chance_of_signing_up(person: Person) -> float:
    """The chance that a person ever puts their name on a school's list of those who would help."""
    if person.silent or person.deceased or person.ferpa_block or person.opted_out:
        return 0.0
    return logistic(-2.0 + 0.9 * person.warmth)


def chance_of_yes(person: Person, ask: AskFacts) -> float:
    """The chance that a person says yes when asked."""
    if person.silent:
        return 0.0
    in_town = person.city != "Farview"
    score = -2.3 + 1.2 * person.warmth
    score += 1.1 if ask.way == person.favourite_way else 0.0
    score += 0.5 if ask.own_school else 0.0
    score += 0.6 if person.field and FIELDS[person.field][1] == ask.subject else 0.0
    score += 0.5 if ask.helped_lately else 0.0
    score -= 0.35 * ask.asks_last_year
    score -= 0.8 if not in_town and not ask.virtual else 0.0
    score -= 0.4 if ask.month in BUSY else 0.0
    return logistic(score)


def answer(random: Random, person: Person, ask: AskFacts) -> str:
    """One drawn answer: accepted, declined or none."""
    if random.random() < chance_of_yes(person, ask):
        return "accepted"
    return "declined" if not person.silent and random.random() < SAYS_NO else "none"


def address_works(person: Person, day: date) -> bool:
    """Whether a mail to the address we hold still arrives."""
    return person.moves_at is None or day < person.moves_at
