"""Training and the registry: which model goes live and why."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.errors import Invalid, NotFound
from crm.core.viewer import Viewer
from segments.targeting import scores
from segments.targeting.cases import Training, training_cases
from segments.targeting.models import PropensityModel
from segments.targeting.service import loaded

if TYPE_CHECKING:  # What learns takes long to import, and most processes never learn.
    from segments.targeting.learning import Learnt

FRESH = 50
"""So many answers since the live model was trained it takes to judge a newer one against it."""
LATEST = 0.2


def train(session: Session, *, way_key: str, by: Viewer, at: datetime) -> PropensityModel | None:
    """Train and register the model of a way (`*`: all ways); None when there is too little data.

    It goes live only if its like, learnt from the earlier four fifths of the asks, beats the prior
    in log-loss on the latest fifth of this way, and (by the same measure, learnt from what was
    known then) the live model on the answers that came since that was trained.
    """
    cases = training_cases(session, until=at)
    if not cases.enough:
        return None
    from segments.targeting.card import card_of

    early = np.arange(len(cases.y)) < int(len(cases.y) * (1 - LATEST))
    held = ~early & cases.of(way_key)
    card = card_of(session, cases, early, held, way_key=way_key, at=at)
    card["beats_live"] = _beats_live(session, way_key, cases)
    card["decision"] = decision(card)
    model = cases.learn()
    card["trees"], card["penalty"] = bool(model.trees), model.linear.penalty
    card["weights"], card["slope"] = list(model.weights), model.slope
    record = _register(session, way_key, model, card, at=at)
    if card["decision"] in ("first", "better"):
        _make_live(session, record)
    audit.record(
        session, "train", kind="propensity_model", key=record.id, by=by, at=at, way=way_key
    )
    return record


def decision(card: dict[str, Any]) -> str:
    """Why the model of a card goes live or not, in one word."""
    if not card["held_out_rows"]:
        return "nothing_held_out"
    if not card["beats_prior"]:
        return "prior_better"
    return {None: "first", True: "better", False: "live_better"}[card["beats_live"]]


def _beats_live(session: Session, way_key: str, cases: Training) -> bool | None:
    """Whether what can be learnt now would have done better since; None where nobody can tell."""
    statement = select(PropensityModel).where(
        PropensityModel.live, PropensityModel.way_key == way_key
    )
    record = session.scalars(statement).one_or_none()
    if record is None:
        return None
    try:
        live = loaded(record)
    except (ValueError, Invalid):
        return None
    before = cases.asked_at < record.trained_at.timestamp()
    since = ~before & cases.of(way_key)
    if live.columns != cases.columns or not before.any():
        return None
    if since.sum() < FRESH:
        return False
    from segments.targeting.choosing import log_loss

    fresh = cases.part(since)
    again = cases.part(before).learn()
    return log_loss(again.chances(fresh.x), fresh.y) < log_loss(live.chances(fresh.x), fresh.y)


def _register(
    session: Session, way_key: str, model: Learnt, card: dict[str, Any], *, at: datetime
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


def _make_live(session: Session, record: PropensityModel | None, way_key: str = "") -> None:
    """The one live model of its way; without one the way falls back to what is shipped."""
    way = record.way_key if record else way_key
    others = update(PropensityModel).where(PropensityModel.way_key == way)
    session.execute(others.values(live=False))
    session.flush()
    if record is not None:
        record.live = True
        session.flush()


def take_back(
    session: Session, *, way_key: str, model_id: int | None, by: Viewer, at: datetime
) -> None:
    """Make an earlier model of a way the live one, or (None) let the prior speak again.

    Kept scores of the way go: those of another model must not stand. Raises `NotFound` for a model
    of another way, `Invalid` for one that cannot be loaded.
    """
    record = session.get(PropensityModel, model_id) if model_id is not None else None
    if model_id is not None and (record is None or record.way_key != way_key):
        raise NotFound("There is no such model.")
    if record is not None:
        try:
            loaded(record)
        except ValueError as error:
            raise Invalid(str(error)) from error
    _make_live(session, record, way_key)
    scores.drop(session, way_key)
    audit.record(
        session, "model.taken_back", kind="propensity_model", key=model_id or 0, by=by, at=at,
        way=way_key, version=record.no if record else 0,
    )  # fmt: skip
