"""Scoring: the live model of a way, or the prior where none is live."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.core.database import among
from crm.core.errors import Invalid
from segments.asks.models import Ask, AskState
from segments.targeting import features, scores
from segments.targeting.everybody import load_everybody
from segments.targeting.features import DEFAULT_BASE
from segments.targeting.models import PropensityModel
from segments.targeting.reasons import Reason, reasons_for

if TYPE_CHECKING:  # What learns takes long to import, and most processes never learn.
    from segments.targeting.learning import Learnt

EVERY_WAY = "*"


@dataclass(frozen=True)
class PersonScore:
    """One person's chance of a yes (0 to 1) with what drove it, strongest first."""

    alumnus_id: int
    probability: float
    reasons: list[Reason]


def live_model(session: Session, way_key: str) -> tuple[int, Learnt] | None:
    """The live model of a way, else that of all ways; refuses one that was altered since."""
    statement = select(PropensityModel).where(
        PropensityModel.live, PropensityModel.way_key.in_([way_key, EVERY_WAY])
    )
    found = {record.way_key: record for record in session.scalars(statement)}
    record = found.get(way_key) or found.get(EVERY_WAY)
    if record is None:
        return None
    try:
        model = loaded(record)
    except ValueError:  # of an earlier release, with other features: the prior until it is trained
        return None
    return record.id, stepped_back(model, record.drift)


def stepped_back(model: Learnt, drift: dict[str, Any] | None) -> Learnt:
    """The model as the drift watch lets it speak: part of it, and the rest the prior's word."""
    if not drift or drift["state"] == "few":
        return model
    return replace(
        model, trust=float(drift["weight"]), plain=float(drift["plain"]),
        shift=model.shift + float(drift["level"]),
    )  # fmt: skip


def loaded(record: PropensityModel) -> Learnt:
    """A registered model; raises `Invalid` if it is not what was registered."""
    if hashlib.sha256(record.body).hexdigest() != record.sha256:
        raise Invalid("model %(id)s is not what was registered; train it again", id=record.id)
    return _read(record.sha256, record.body)


@lru_cache(maxsize=4)
def _read(_sha256: str, body: bytes) -> Learnt:
    """Reading hundreds of trees takes longer than asking them about a shortlist."""
    from segments.targeting.learning import Learnt

    return Learnt.from_json(json.loads(body))


def base_rate(session: Session, way_key: str, at: datetime) -> float:
    """The rate of yeses so far, shrunk to the default as if five asks had shown it."""
    done = [AskState.ACCEPTED, AskState.DECLINED, AskState.NONE]
    yes = func.count().filter(Ask.state == AskState.ACCEPTED)
    statement = select(func.count(), yes).where(Ask.state.in_(done), Ask.asked_at < at)
    if way_key != EVERY_WAY:
        statement = statement.where(Ask.way_key == way_key)
    asks, yeses = session.execute(statement).one()
    return float((yeses + 5 * DEFAULT_BASE) / (asks + 5))


def score_people(
    session: Session, ids: Select[int], *, way_key: str, at: datetime
) -> list[PersonScore]:
    """The chance of a yes of each of the people as of `at`, in no particular order.

    Without a live model this is the prior, whose ranks are taken among the very people given.
    """
    from segments.targeting.learning import prior

    found = live_model(session, way_key)
    model = found[1] if found else None
    more = model.columns.of if model else None
    people = features.people_cases(ids, way_key=way_key, at=at)
    cases = features.load(session, people, base=DEFAULT_BASE, more=more)
    if not len(cases.people):
        return []
    if model is None:
        model = prior(cases.x, rate=base_rate(session, way_key, at))
    chances = model.chances(cases.x)
    reasons = reasons_for(model, cases.x)
    if model.trust < 1:
        doubt = Reason("doubt", 0.0, {"percent": round(100 * model.trust)})
        reasons = [[*why, doubt] for why in reasons]
    triples = zip(cases.people, chances, reasons, strict=True)
    return [PersonScore(int(person), float(chance), why) for person, chance, why in triples]


def chances_now(
    session: Session, ids: Sequence[int], *, way_key: str, at: datetime
) -> features.Matrix | None:
    """The live model's chances of these people (ascending ids) as of `at`; None without a model."""
    found = live_model(session, way_key)
    if found is None:
        return None
    who = select(Alumnus.id).where(among(Alumnus.id, ids))
    people = features.people_cases(who, way_key=way_key, at=at)
    cases = features.load(session, people, base=DEFAULT_BASE, more=found[1].columns.of)
    return found[1].chances(cases.x) if len(cases.people) else np.empty(0)


def store_scores(session: Session, *, way_key: str, at: datetime) -> int:
    """Score everybody alive and visible with the live model of a way; answers how many.

    Reasons are not kept: the model and the moment that a score names give them again.
    """
    found = live_model(session, way_key)
    if found is None:
        return 0
    model_id, model = found
    everybody = load_everybody(
        session, way_key=way_key, at=at, base=DEFAULT_BASE, columns=model.columns
    )
    scored = ((cases.people, model.chances(cases.x)) for cases in everybody)
    return scores.keep(session, scored, way_key=way_key, model_id=model_id, at=at)
