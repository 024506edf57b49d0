"""Steps that hear: any interaction, three workers at once, and names that are not."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from crm.interactions.models import Mode
from lifecycle.engine.service import advance
from tests.factories import Make
from tests.lifecycle.engine.acting import DAY, head, outcomes, publish
from tests.lifecycle.engine.conftest import TODAY, District


def test_any_interaction_and_what_came_of_one_message(
    session: Session, make: Make, now: datetime
) -> None:
    called, robot, clicked, elsewhere = (make.alumnus(class_year=2026) for _ in range(4))
    ends = "  - {id: good, exit: y}\n  - {id: bad, exit: n}\n"
    text = head("any") + "  - {id: w, wait_for: any, max: 9d, yes: good, no: bad}\n" + ends
    publish(session, text, now)
    text = (
        head("click") + "  - {id: tell, send: welcome-hello, topic: news}\n"
        "  - {id: w, wait_for: link_clicked, of: tell, max: 9d, yes: good, no: bad}\n" + ends
    )
    publish(session, text, now)
    advance(now)
    words = {"mode": Mode.COMMUNICATION, "days_ago": -1.0}
    make.interaction(called, "call", **words)
    make.interaction(robot, "link_clicked", machine=True, **words)
    make.interaction(clicked, "link_clicked", origin="journey:click/tell", **words)
    make.interaction(elsewhere, "link_clicked", origin="campaign:x", **words)
    for days in (2, 9):
        advance(now + days * DAY)
    any_ends = {person: runs[0][0] for person, runs in outcomes(session, "any").items()}
    assert any_ends == {called.id: "yes", robot.id: "no", clicked.id: "yes", elsewhere.id: "yes"}
    click_ends = {person: runs[1][0] for person, runs in outcomes(session, "click").items()}
    assert click_ends == {called.id: "no", robot.id: "no", clicked.id: "yes", elsewhere.id: "no"}


EVERYTHING = (
    "  - {id: half, split: {a: 1, b: 1}}\n  - {id: a, set: {subject: health}, next: go}\n"
    "  - {id: b, task: Call them}\n  - {id: go, enter: kin}\n  - {id: q, ask: mentor}\n"
    "  - {id: end, exit: done}\n"
)


def test_three_workers_at_once_do_each_thing_once(district: District) -> None:
    number = 3_000
    district.publish(head("kin", "city:Nowhere") + "  - {id: end, exit: done}\n")
    district.publish(head("all") + EVERYTHING)
    district.people(number)
    district.run(
        """insert into contact_point (alumnus_id, kind, value, key, owner, status, preferred,
        source, created_at, updated_at) select id, 'email', id || '@mail.example',
        id || '@mail.example', 'own', 'ok', true, '', now(), now() from alumnus;
        update alumnus set class_year = 2015, graduated_on = '2015-06-01'"""
    )
    district.run(
        """update journey_version set
        document = jsonb_set(document, '{enter,when}', '"class:2015"') where steps > 1"""
    )
    faults: list[Exception] = []

    def work() -> None:
        try:
            district.tick(TODAY)
        except Exception as fault:
            faults.append(fault)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    district.tick(TODAY)
    assert faults == []
    assert district.value("select count(*) from enrollment where state = 'ended'") == 2 * number
    tasks, tagged = (
        district.value(f"select count(*) from {table}") for table in ("staff_task", "interest")
    )
    assert isinstance(tasks, int)
    assert isinstance(tagged, int)
    assert tasks + tagged == number
    for table in ("ask", "message"):
        counted = f"select count(*), count(distinct alumnus_id) from {table}"
        assert district.rows(counted) == [(number, number)]


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{id: a, split: {b: 0, c: 1}}", "weight: Input should be greater"),
        ("{id: a, split: {b: 1}}", "split: Tuple should have at least 2 items"),
        ("{id: a, set: {}}", "say what to set"),
        ("{id: a, set: {colour: red}}", "“colour” means nothing here"),
        ("{id: a, set: {subject: helth}}", "no subject “helth”; did you mean health?"),
        ("{id: a, set: {custom.nothing: x}}", "no custom field “nothing”"),
        ("{id: a, enter: nowhere}", "no running journey “nowhere”"),
        ("{id: a, enter: checks}", "a journey cannot let people into itself"),
        ("{id: a, ask: mentoring}", "no way to help “mentoring”; did you mean mentor?"),
        ("{id: a, task: ''}", "task: String should have at least 1 character"),
        ("{id: a, wait_for: replied, of: b, max: 9d}", "“b” is none"),
        ("{id: a, wait_for: [replyed, replied], max: 9d}", "did you mean replied?"),
    ],
)
def test_steps_that_name_what_is_not_are_refused_with_line_and_step(
    coordinator: FlaskClient, step: str, said: str
) -> None:
    text = head("checks") + f"  - {step}\n  - {{id: b, wait: 2d}}\n  - {{id: c, exit: done}}\n"
    answer = coordinator.post("/journeys/check", data={"text": text})
    assert answer.status_code == 422
    assert "journey.yaml:6: step a: " in answer.text
    assert said in answer.text.replace("&#39;", "'")
