"""Two people, or two schools, at the same instant: real connections, real commits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.engine import URL

from crm.core.database import db
from crm.core.viewer import SYSTEM
from segments.asks.answers import Outcome, accept
from segments.asks.models import Ask, AskState, Commitment
from segments.asks.service import Pick, send_wave
from segments.requests.models import Request, RequestState
from segments.requests.queries import dates_of
from tests.conftest import TODAY, settings_for
from tests.factories import Make
from tests.segments.story import ask, make_request, make_speaker
from wsgi import create_app


@pytest.fixture
def own(
    make_database: Callable[[], URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """An app on a database of its own, for tests that commit on several connections."""
    app = create_app(settings_for(make_database(), tmp_path_factory.mktemp("together")))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def together(app: Flask, *acts: Callable[[], object]) -> list[object]:
    """What the acts answer when they start at the same instant, each on its own connection."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        with app.app_context():
            try:
                barrier.wait(10)
                answer = act()
                db.session.commit()
                return answer
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_of_two_who_accept_the_last_place_at_once_one_has_it(own: Flask) -> None:
    session = db.session()
    make = Make(session, TODAY)
    request = make_request(make, make.school(), places=1)
    people = [make_speaker(make, name) for name in ("Ada", "Ben", "Cy", "Dee")]
    wave = ask(make, request, *people)
    choice = dates_of(session, request.id)[0].id
    request_id = request.id
    session.commit()

    def say_yes(ask_id: int) -> Callable[[], object]:
        return lambda: accept(
            db.session(), db.session.get_one(Ask, ask_id), date_id=choice, at=TODAY
        )

    answers = together(own, *(say_yes(ask_id) for ask_id in wave.asked))
    assert sorted(str(answer) for answer in answers) == [Outcome.ACCEPTED, *[Outcome.FULL] * 3]
    session.expire_all()
    assert len(session.scalars(select(Commitment)).all()) == 1
    states = sorted(session.scalars(select(Ask.state)))
    assert states == [AskState.ACCEPTED, *[AskState.RELEASED] * 3]
    assert session.get_one(Request, request_id).state is RequestState.FILLED


def test_two_schools_that_ask_one_person_at_once_reach_them_once(own: Flask) -> None:
    session = db.session()
    make = Make(session, TODAY)
    person = make_speaker(make, "Ada").id
    requests = [make_request(make, make.school()).id for _ in range(2)]
    session.commit()

    def send(request_id: int) -> Callable[[], object]:
        return lambda: send_wave(
            db.session(), db.session.get_one(Request, request_id), [Pick(person)], by=SYSTEM,
            at=TODAY + timedelta(minutes=1),
        ).asked  # fmt: skip

    asked = together(own, *(send(request_id) for request_id in requests))
    assert sorted(len(ids) for ids in asked) == [0, 1]  # type: ignore[arg-type]
    assert len(session.scalars(select(Ask)).all()) == 1
