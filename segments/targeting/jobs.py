"""Work in the background: a training that somebody asked for, and the nightly watch."""

from __future__ import annotations

from datetime import datetime

from crm.core import clock
from crm.core.database import db
from crm.core.viewer import SYSTEM
from segments.targeting import service, training
from segments.targeting.models import ModelTraining, TrainingState

NIGHT = 24 * 3600


def watch(at: datetime) -> None:
    """Look whether the live models still fit, and keep scores as they speak now."""
    from segments.targeting import drift

    session = db.session()
    found = drift.watch_all(session, at=at)
    session.commit()
    for way_key in found:
        service.store_scores(session, way_key=way_key, at=at)
        session.commit()


def train(training_id: int) -> None:
    """Carry out a training that was asked for, step by step, each visible at once."""
    session, at = db.session(), clock.now()
    run = session.get_one(ModelTraining, training_id)
    if run.ended_at is not None:
        return
    run.state = TrainingState.LEARNING
    session.commit()
    try:
        record = training.train(session, way_key=run.way_key, by=SYSTEM, at=at)
        run.state = TrainingState.FEW if record is None else TrainingState.SCORING
        run.model_id = record.id if record else None
        session.commit()
        if record is not None and record.live:
            service.store_scores(session, way_key=run.way_key, at=at)
    except Exception:
        session.rollback()
        _end(training_id, TrainingState.FAILED, at)
        raise
    _end(training_id, TrainingState.FEW if record is None else TrainingState.DONE, at)


def _end(training_id: int, state: TrainingState, at: datetime) -> None:
    session = db.session()
    run = session.get_one(ModelTraining, training_id)
    run.state, run.ended_at = state, at
    session.commit()
