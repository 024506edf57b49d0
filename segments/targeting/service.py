"""Training, the registry and scoring: the live model of a way, or the prior where none is live."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.access import visible_alumni
from crm.alumni.models import Alumnus
from crm.core.errors import Invalid
from crm.core.viewer import SYSTEM, Viewer
from segments.asks.models import Ask, AskState
from segments.targeting import features
from segments.targeting.estimator import DEFAULT_BASE, PriorShrunkLogistic
from segments.targeting.models import PropensityModel, Score
from segments.targeting.reasons import Reason, reasons_for

ENOUGH_ASKS, ENOUGH_YESES = 200, 50
EVERY_WAY = "*"
BATCH = 20_000


@dataclass(frozen=True)
class PersonScore:
    """One person's chance of a yes (0 to 1) with what drove it, strongest first."""

    alumnus_id: int
    probability: float
    reasons: list[Reason]


@dataclass(frozen=True)
class Training:
    """Cases with their answers, in the order they were asked."""

    x: features.Matrix
    y: np.ndarray[Any, np.dtype[np.int64]]
    asked_at: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def enough(self) -> bool:
        """Whether there is enough to learn from; otherwise the prior is the honest answer."""
        return len(self.y) >= ENOUGH_ASKS and int(self.y.sum()) >= ENOUGH_YESES


def training_cases(session: Session, *, way_key: str | None, until: datetime) -> Training:
    """Each finished ask before `until` with what was known when it was sent, oldest first."""
    cases = features.asked_cases(way_key=way_key, until=until)
    loaded = features.load(session, cases, base=DEFAULT_BASE)
    answers = select(Ask.id, Ask.state, func.extract("epoch", Ask.asked_at)).where(
        Ask.id.in_(cases.with_only_columns(Ask.id))
    )
    known = {
        key: (state is AskState.ACCEPTED, float(at)) for key, state, at in session.execute(answers)
    }
    y = np.array([known[int(key)][0] for key in loaded.keys], dtype=np.int64)
    at = np.array([known[int(key)][1] for key in loaded.keys], dtype=np.float64)
    order = np.argsort(at, kind="stable")
    return Training(loaded.x[order], y[order], at[order])


def train(session: Session, *, way_key: str, by: Viewer, at: datetime) -> PropensityModel | None:
    """Train and register the model of a way (`*`: all ways); None when there is too little data.

    It goes live only if its like, learnt from the earlier four fifths of the asks, beats the prior
    in log-loss on the latest fifth.
    """
    cases = training_cases(session, way_key=None if way_key == EVERY_WAY else way_key, until=at)
    if not cases.enough:
        return None
    split = int(len(cases.y) * 0.8)
    held_x, held_y = cases.x[split:], cases.y[split:]
    trial = PriorShrunkLogistic().fit(cases.x[:split], cases.y[:split])
    rate = float(cases.y[:split].mean())
    prior = PriorShrunkLogistic(base=rate).fit_population(cases.x[:split])
    prior_loss = log_loss(prior.predict_proba(held_x)[:, 1], held_y)
    loss = log_loss(trial.predict_proba(held_x)[:, 1], held_y)
    model = PriorShrunkLogistic().fit(cases.x, cases.y)
    card = {
        "rows": len(cases.y), "yeses": int(cases.y.sum()), "held_out_rows": len(held_y),
        "held_out_log_loss": loss, "prior_log_loss": prior_loss, "until": at.isoformat(),
        "features": list(features.COLUMNS), "beats_prior": loss < prior_loss,
    }  # fmt: skip
    record = _register(session, way_key, model, card, at=at)
    if loss < prior_loss:
        _make_live(session, record)
    audit.record(
        session, "train", kind="propensity_model", key=record.id, by=by, at=at, way=way_key
    )
    return record


def log_loss(p: features.Matrix, y: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    """Mean negative log-likelihood in nats, chances clipped to [1e-6, 1 − 1e-6]."""
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def _register(
    session: Session,
    way_key: str,
    model: PriorShrunkLogistic,
    card: dict[str, Any],
    *,
    at: datetime,
) -> PropensityModel:
    body = json.dumps(model.to_json(), sort_keys=True).encode()
    last = select(func.coalesce(func.max(PropensityModel.no), 0)).where(
        PropensityModel.way_key == way_key
    )
    record = PropensityModel(
        way_key=way_key, no=session.scalars(last).one() + 1, trained_at=at, card=card, body=body,
        sha256=hashlib.sha256(body).hexdigest(), live=False,
    )  # fmt: skip
    session.add(record)
    session.flush()
    return record


def _make_live(session: Session, record: PropensityModel) -> None:
    others = update(PropensityModel).where(PropensityModel.way_key == record.way_key)
    session.execute(others.values(live=False))
    session.execute(
        update(PropensityModel).where(PropensityModel.id == record.id).values(live=True)
    )
    record.live = True


def live_model(session: Session, way_key: str) -> tuple[int, PriorShrunkLogistic] | None:
    """The live model of a way, else that of all ways; refuses one that was altered since."""
    statement = select(PropensityModel).where(
        PropensityModel.live, PropensityModel.way_key.in_([way_key, EVERY_WAY])
    )
    found = {record.way_key: record for record in session.scalars(statement)}
    record = found.get(way_key) or found.get(EVERY_WAY)
    if record is None:
        return None
    if hashlib.sha256(record.body).hexdigest() != record.sha256:
        raise Invalid(f"model {record.id} is not what was registered; train it again")
    return record.id, PriorShrunkLogistic.from_json(json.loads(record.body))


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
    cases = features.load(
        session, features.people_cases(ids, way_key=way_key, at=at), base=DEFAULT_BASE
    )
    if not len(cases.people):
        return []
    found = live_model(session, way_key)
    model = found[1] if found else None
    if model is None:
        model = PriorShrunkLogistic(base=base_rate(session, way_key, at)).fit_population(cases.x)
    chances = model.predict_proba(cases.x)[:, 1]
    reasons = reasons_for(model, cases.x)
    triples = zip(cases.people, chances, reasons, strict=True)
    return [PersonScore(int(person), float(chance), why) for person, chance, why in triples]


def store_scores(session: Session, *, way_key: str, at: datetime) -> int:
    """Score everybody alive and visible with the live model of a way; answers how many."""
    found = live_model(session, way_key)
    if found is None:
        return 0
    session.execute(delete(Score).where(Score.way_key == way_key))
    last, total = 0, 0
    while True:
        alive = visible_alumni(SYSTEM) & Alumnus.deceased.is_(False)
        ids = select(Alumnus.id).where(alive, Alumnus.id > last).order_by(Alumnus.id).limit(BATCH)
        scores = score_people(session, ids, way_key=way_key, at=at)
        if not scores:
            return total
        rows = [
            {
                "alumnus_id": s.alumnus_id, "way_key": way_key, "model_id": found[0], "at": at,
                "probability": s.probability, "reasons": [r.to_json() for r in s.reasons],
            }
            for s in scores
        ]  # fmt: skip
        session.execute(insert(Score), rows)
        last, total = max(s.alumnus_id for s in scores), total + len(scores)
