"""How the invented people behave: the model of `docs/demo-data.md`, and nothing else knows it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from random import Random

from demo.people import FIELDS, Person


def logistic(x: float) -> float:
    """The logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


@dataclass(frozen=True)
class AskFacts:
    """What the chance of a yes depends on besides the person."""

    way: str
    own_school: bool
    subject: str | None
    virtual: bool
    helped_lately: bool
    asks_last_year: int


def chance_of_click(person: Person, *, profile: bool) -> float:
    """The chance that a person follows a link of one mail."""
    if person.silent:
        return 0.0
    return logistic(-2.6 + 0.8 * person.warmth + (0.5 if profile else 0.0))


def chance_of_offer(person: Person) -> float:
    """The chance that somebody saving their profile offers their favourite way to help."""
    return logistic(0.3 + 0.9 * person.warmth)


def chance_of_yes(person: Person, ask: AskFacts) -> float:
    """The chance that a person says yes when asked."""
    if person.silent:
        return 0.0
    in_town = person.city != "Farview"
    score = -2.7 + 0.9 * person.warmth
    score += 0.9 if ask.way == person.favourite_way else 0.0
    score += 0.5 if ask.own_school else 0.0
    score += 0.5 if person.field and FIELDS[person.field][1] == ask.subject else 0.0
    score += 0.7 if ask.helped_lately else 0.0
    score -= 0.5 * ask.asks_last_year
    score -= 0.6 if not in_town and not ask.virtual else 0.0
    return logistic(score)


def answer(random: Random, person: Person, ask: AskFacts) -> str:
    """One drawn answer: accepted, declined or none."""
    if random.random() < chance_of_yes(person, ask):
        return "accepted"
    return "declined" if not person.silent and random.random() < 0.55 else "none"


def address_works(person: Person, day: date) -> bool:
    """Whether a mail to the address we hold still arrives."""
    return person.moves_at is None or day < person.moves_at
