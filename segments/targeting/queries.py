"""Reads of the model page: the models of a way, which is live, how many answers are missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from crm.alumni.models import Way
from crm.core.extend import Todo
from crm.core.viewer import Permission, Viewer
from segments.asks.models import Ask, AskState
from segments.targeting.cases import ENOUGH_ASKS, ENOUGH_YESES
from segments.targeting.models import ModelTraining, PropensityModel
from segments.targeting.service import EVERY_WAY

SHOWN = 30


def ways(session: Session) -> list[tuple[str, str]]:
    """Every way that was ever trained or is offered, and all of them together first."""
    trained = select(PropensityModel.way_key)
    found = select(Way.key, Way.label).where(Way.offered | Way.key.in_(trained))
    named = session.execute(found.order_by(Way.position, Way.key)).all()
    return [(EVERY_WAY, _("All ways to help")), *((key, label) for key, label in named)]


def models_of(session: Session, way_key: str) -> Sequence[PropensityModel]:
    """The latest models of a way, newest first."""
    statement = select(PropensityModel).where(PropensityModel.way_key == way_key)
    return session.scalars(statement.order_by(PropensityModel.no.desc()).limit(SHOWN)).all()


def live_of(session: Session) -> dict[str, PropensityModel]:
    """The live model of each way that has one of its own."""
    found = session.scalars(select(PropensityModel).where(PropensityModel.live))
    return {record.way_key: record for record in found}


def latest_training(session: Session, way_key: str) -> ModelTraining | None:
    """The training of a way that was asked for last."""
    statement = select(ModelTraining).where(ModelTraining.way_key == way_key)
    return session.scalars(statement.order_by(ModelTraining.id.desc()).limit(1)).first()


def missing(session: Session, at: datetime) -> tuple[int, int]:
    """How many more answers, and yeses among them, it takes before a model can be trained."""
    done = Ask.state.in_([AskState.ACCEPTED, AskState.DECLINED, AskState.NONE])
    yes = func.count().filter(Ask.state == AskState.ACCEPTED)
    asks, yeses = session.execute(select(func.count(), yes).where(done, Ask.asked_at < at)).one()
    return max(0, ENOUGH_ASKS - asks), max(0, ENOUGH_YESES - yeses)


def to_do(session: Session, viewer: Viewer, at: datetime) -> Iterable[Todo]:
    """Models whose chances no longer fit the answers, for those who may train them."""
    if not (viewer.may(Permission.SETTINGS) and viewer.sees_district):
        return
    drifted = [r for r in live_of(session).values() if (r.drift or {}).get("state") == "drifted"]
    yield Todo(
        _("Model of a yes off its mark"), len(drifted), url_for("model.page"), "warn", 70
    )  # fmt: skip
