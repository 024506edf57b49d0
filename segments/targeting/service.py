"""Training, the registry and scoring: the live model of a way, or the prior where none is live."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.alumni.models import Alumnus
from crm.core.database import among
from crm.core.errors import Invalid
from crm.core.viewer import Viewer
from segments.asks.models import Ask, AskState
from segments.targeting import features
from segments.targeting.columns import Columns, columns_now
from segments.targeting.everybody import load_everybody
from segments.targeting.features import DEFAULT_BASE
from segments.targeting.matrices import moment, write_rows
from segments.targeting.models import PropensityModel, Score
from segments.targeting.reasons import Reason, reasons_for

if TYPE_CHECKING:  # What learns takes long to import, and most processes never learn.
    from segments.targeting.learning import Learnt

ENOUGH_ASKS, ENOUGH_YESES = 200, 50
EVERY_WAY = "*"
FRESH = 50
"""So many answers since the live model was trained it takes to judge a newer one against it."""


@dataclass(frozen=True)
class PersonScore:
    """One person's chance of a yes (0 to 1) with what drove it, strongest first."""

    alumnus_id: int
    probability: float
    reasons: list[Reason]


@dataclass(frozen=True)
class Training:
    """Cases with their answers, in the order they were asked; `asked_at` in seconds."""

    x: features.Matrix
    y: np.ndarray[Any, np.dtype[np.int64]]
    asked_at: features.Matrix
    ways: np.ndarray[Any, np.dtype[np.str_]]
    columns: Columns

    @property
    def enough(self) -> bool:
        """Whether there is enough to learn from; otherwise the prior is the honest answer."""
        return len(self.y) >= ENOUGH_ASKS and int(self.y.sum()) >= ENOUGH_YESES

    def part(self, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Training:
        """The chosen rows."""
        return Training(
            self.x[chosen], self.y[chosen], self.asked_at[chosen], self.ways[chosen], self.columns
        )

    def of(self, way_key: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which rows are of a way (`*`: all)."""
        return np.full(len(self.y), fill_value=True) if way_key == EVERY_WAY else (
            self.ways == way_key
        )  # fmt: skip

    def learn(self) -> Learnt:
        """The model that these rows teach."""
        from segments.targeting.learning import learn

        return learn(self.x, self.y, self.asked_at, columns=self.columns)


def training_cases(session: Session, *, until: datetime) -> Training:
    """Each finished ask before `until` with what was known when it was sent, oldest first.

    Asks of all ways: what one way teaches serves the others too.
    """
    columns = columns_now(session)
    cases = features.asked_cases(way_key=None, until=until)
    loaded = features.load(session, cases, base=DEFAULT_BASE, more=columns.of)
    answers = select(Ask.id, Ask.state, func.extract("epoch", Ask.asked_at), Ask.way_key).where(
        Ask.id.in_(cases.with_only_columns(Ask.id))
    )
    known = {
        key: (state is AskState.ACCEPTED, float(at), way)
        for key, state, at, way in session.execute(answers)
    }
    rows = [known[int(key)] for key in loaded.keys]
    at = np.array([at for _, at, _ in rows], dtype=np.float64)
    order = np.argsort(at, kind="stable")
    y = np.array([yes for yes, _, _ in rows], dtype=np.int64)
    ways = np.array([way for _, _, way in rows], dtype=np.str_)
    return Training(loaded.x[order], y[order], at[order], ways[order], columns)


def train(session: Session, *, way_key: str, by: Viewer, at: datetime) -> PropensityModel | None:
    """Train and register the model of a way (`*`: all ways); None when there is too little data.

    It goes live only if its like, learnt from the earlier four fifths of the asks, beats the prior
    in log-loss on the latest fifth of this way, and (by the same measure, learnt from what was
    known then) the live model on the answers that came since that was trained.
    """
    cases = training_cases(session, until=at)
    if not cases.enough:
        return None
    from segments.targeting.learning import prior

    early = np.arange(len(cases.y)) < int(len(cases.y) * 0.8)
    held = ~early & cases.of(way_key)
    trial = cases.part(early).learn()
    plain = prior(
        cases.x[early], rate=float(cases.y[early].mean()), columns=cases.columns
    )  # fmt: skip
    figures = {"held_out_rows": int(held.sum())}
    loss = _loss(trial, cases, held)
    plain_loss = _loss(plain, cases, held)
    card = {
        "rows": len(cases.y), "yeses": int(cases.y.sum()), **figures,
        "held_out_log_loss": loss, "prior_log_loss": plain_loss, "until": at.isoformat(),
        "features": list(cases.columns.names), "beats_prior": loss < plain_loss,
        "beats_live": _beats_live(session, way_key, cases),
    }  # fmt: skip
    model = cases.learn()
    card["trees"], card["penalty"] = bool(model.trees), model.linear.penalty
    record = _register(session, way_key, model, card, at=at)
    if card["beats_prior"] and card["beats_live"] is not False:
        _make_live(session, record)
    audit.record(
        session, "train", kind="propensity_model", key=record.id, by=by, at=at, way=way_key
    )
    return record


def _loss(model: Learnt, cases: Training, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    from segments.targeting.choosing import log_loss

    return log_loss(model.chances(cases.x[chosen]), cases.y[chosen]) if chosen.any() else 0.0


def _beats_live(session: Session, way_key: str, cases: Training) -> bool | None:
    """Whether what can be learnt now would have done better since; None where nobody can tell."""
    statement = select(PropensityModel).where(
        PropensityModel.live, PropensityModel.way_key == way_key
    )
    record = session.scalars(statement).one_or_none()
    if record is None:
        return None
    try:
        live = _loaded(record)
    except (ValueError, Invalid):
        return None
    before = cases.asked_at < record.trained_at.timestamp()
    since = ~before & cases.of(way_key)
    if live.columns != cases.columns or not before.any():
        return None
    if since.sum() < FRESH:
        return False
    return _loss(cases.part(before).learn(), cases, since) < _loss(live, cases, since)


def _register(
    session: Session,
    way_key: str,
    model: Learnt,
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
        return record.id, _loaded(record)
    except ValueError:  # of an earlier release, with other features: the prior until it is trained
        return None


def _loaded(record: PropensityModel) -> Learnt:
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
    session.execute(delete(Score).where(Score.way_key == way_key))
    total = 0
    for cases in load_everybody(
        session, way_key=way_key, at=at, base=DEFAULT_BASE, more=model.columns.of
    ):
        write_rows(
            session, "score", {
                "alumnus_id": cases.people, "way_key": way_key.encode(),
                "model_id": model_id.to_bytes(8, "big"), "probability": model.chances(cases.x),
                "reasons": b"\x01[]", "at": moment(at),
            },
        )  # fmt: skip
        total += len(cases.people)
    return total
