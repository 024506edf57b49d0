"""The command that compares policies: what it needs, its figures, its drawing."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from crm.accounts import audit
from crm.core.viewer import SYSTEM
from demo.people import population
from demo.plot import PANELS, draw_trade
from demo.policies import Outcome
from demo.trial import interval, summary
from segments.asks.models import Ask
from tests.factories import Make


def lived(asks: int, filled: int) -> Outcome:
    """Ten places at one school, so many of them filled by so many asks of one person each."""
    found = Outcome(places=10, filled=filled, days=[2.0], schools={"990012000001": [filled, 10]})
    found.asks.update({"accepted": filled, "none": asks - filled})
    found.asked.update(range(asks))
    found.chosen = {"rank": [asks, filled]}
    return found


def test_a_mean_stands_with_student_s_interval() -> None:
    assert interval([1.0, 2.0, 3.0]) == pytest.approx([2.0, -0.4841, 4.4841])
    assert interval([2.0]) == [2.0, None, None]


def test_policies_are_compared_seed_by_seed_and_school_by_school() -> None:
    found = {"ours": [lived(20, 8), lived(30, 9)], "blast": [lived(80, 4), lived(90, 5)]}
    report = summary(found)
    assert report["policies"]["ours"]["asks"][0] == 25
    assert report["policies"]["blast"]["asks_per_filled"][0] == pytest.approx(19.0)
    assert report["less_ours"]["blast"]["asks"] == [60.0, 60.0, 60.0]
    (school,) = report["schools"]
    assert (school["places"], school["ours"], school["blast"]) == (20, 0.85, 0.45)


def test_the_drawing_says_every_figure_in_words() -> None:
    policies = summary({"ours": [lived(20, 8)], "a & b": [lived(80, 4)]})["policies"]
    drawn = ElementTree.fromstring(draw_trade(policies))
    words = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words.count("a & b") == words.count("ours") == len(PANELS)
    assert "20.0" in words  # a single seed has no interval


def test_it_lives_through_a_demo_district_only_and_keeps_nothing(
    app: Flask, session: Session, make: Make
) -> None:
    run = app.test_cli_runner().invoke
    refused = run(args=["demo-policies", "--seeds", "1", "--json"])
    assert refused.exit_code == 1
    assert "no demo district" in json.loads(refused.output.splitlines()[-1])["error"][0]
    for person in population(50, seed=1, today=make.at.date()):
        make.alumnus(f"P{person.n}", external_id=person.student_number)
    size = {"key": 50, "people": 50, "seed": 1}
    audit.record(session, "demo.built", kind="demo", by=SYSTEM, at=make.at, **size)
    session.commit()
    months = ["--seeds", "1", "--days", "9", "--every", "1"]
    done = run(args=["demo-policies", *months, "--policy", "ours", "--json"])
    report = json.loads(done.output.splitlines()[-1])
    assert report["policies"]["ours"]["places"][0] >= 3
    assert session.query(Ask).count() == 0
