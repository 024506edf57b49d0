"""The model page: the card for those who may, training asked for once, and the way back."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.core.viewer import SYSTEM, Role
from segments.targeting import training
from segments.targeting.models import ModelTraining, PropensityModel
from tests.factories import Make
from tests.segments.targeting.test_targeting import history as history


def test_the_page_shows_the_card_and_lets_the_prior_speak_again(
    history: Any, make: Make, session: Session, login_as: Any
) -> None:
    record = training.train(session, way_key="*", by=SYSTEM, at=make.at)
    assert record is not None
    training._make_live(session, record)
    browser = login_as(make.user(Role.COORDINATOR))
    page = browser.get("/settings/model").text
    assert "How good model 1 is" in page
    assert "Chance said and yeses seen" in page
    assert "<b>School:</b> no group has 300 answers of its own." in page
    assert browser.post("/settings/model/take-back", data={"way": "*"}).status_code == 303
    session.expire_all()
    assert session.scalars(select(PropensityModel.live)).all() == [False]


def test_too_little_data_says_how_much_is_missing_and_training_is_asked_for_once(
    make: Make, session: Session, login_as: Any
) -> None:
    browser = login_as(make.user(Role.COORDINATOR))
    assert "200 more answers, and 50 more yeses" in browser.get("/settings/model").text
    assert browser.post("/settings/model/train", data={"way": "*"}).status_code == 303
    browser.post("/settings/model/train", data={"way": "*"})
    assert len(session.scalars(select(ModelTraining.id)).all()) == 1
