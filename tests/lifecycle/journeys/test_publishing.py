"""What may be published, what a version is, and who enters how often."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from crm.alumni.models import Interest, InterestKind
from crm.core.errors import Refused
from crm.core.viewer import SYSTEM
from crm.mail.content import variants_of
from lifecycle.engine.service import advance
from lifecycle.journeys import queries, service
from lifecycle.journeys.definition import Document, stored
from lifecycle.journeys.models import Enrollment, JourneyVersion, StepRun
from lifecycle.journeys.reading import LARGEST, read_document
from lifecycle.journeys.world import content_version
from tests.factories import Make

ROOT = Path(__file__).resolve().parents[3]
DAY = timedelta(days=1)
HEAD = "journey: plain\nname: Plain\nserves: A goal\nenter: class:2026\nsteps:\n"
PLAIN = HEAD + "  - {id: rest, wait: 2d}\n  - {id: done, exit: done}\n"


def publish(session: Session, text: str, at: datetime) -> service.Published:
    done = service.publish(session, text, name="plain.yaml", by=SYSTEM, at=at)
    session.commit()
    return done


def refused(text: str) -> str:
    with pytest.raises(Refused) as caught:
        read_document(text, "j.yaml")
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("- {id: a, wait: 2d}", "1: step a: nothing comes after it"),
        ("- {id: a, wait: 2d}\n- {id: a, exit: done}", "2: step a: another step is called “a”"),
        ("- {id: a, wait: 2d, next: b}\n- {id: c, exit: done}", "1: step a: there is no step “b”"),
        (
            "- {id: a, wait: 2d, next: c}\n- {id: b, wait: 1d}\n- {id: c, exit: done}",
            "2: step b: no step leads here",
        ),
        (
            "- {id: a, wait_for: replied, yes: b, no: b}\n- {id: b, exit: done}",
            "1: step a: a wait_for needs `max:`",
        ),
        ("- {id: a, wait: 2d, next: a}", "1: step a: no way on from here ends"),
        (
            "- {id: a, branch: is:left, yes: a, no: b}\n- {id: b, exit: done}",
            "1: step a: this loop has no wait of at least 1d",
        ),
        (
            "- {id: a, wait_for: replied, max: 9d, yes: a, no: b}\n- {id: b, exit: done}",
            "1: step a: this loop has no wait of at least 1d",
        ),
        (
            "- {id: a, wait: 12h}\n- {id: b, branch: is:left, yes: a, no: c}\n- {id: c, exit: x}",
            "1: step a: this loop has no wait of at least 1d",
        ),
        ("- {id: a, wait: soon}\n- {id: c, exit: x}", "1: step a: wait: write a duration such as"),
        ("- {id: a, wait: 9999w}\n- {id: c, exit: x}", "1: step a: wait: Input should be less"),
        ("- {id: a, wait: 2d, exit: x}", "1: step a: a step has exactly one of send, wait"),
        ("- {id: a, wait: 2d, whait: 1}\n- {id: c, exit: x}", "1: step a: “whait” means nothing"),
        ("- {id: A b, exit: x}", "1: step A b: id: String should match pattern"),
    ],
)
def test_steps_that_do_not_hang_together_are_refused(steps: str, said: str) -> None:
    lines = HEAD.count("\n")
    told = refused(HEAD + steps.replace("- {", "  - {"))
    number, _, rest = said.partition(":")
    assert f"j.yaml:{lines + int(number)}:{rest}" in told


def test_all_faults_are_told_at_once() -> None:
    told = refused(
        "journey: X\nenter: {when: class:2020, often: 3}\nsteps:\n  - {id: a, wait: x}\n"
    )
    assert told.count("j.yaml:") >= 5
    assert refused(f"# {'x' * LARGEST}").startswith("j.yaml: a journey has at most")


def test_a_loop_with_a_day_in_it_may_be_published() -> None:
    document = read_document(
        HEAD + "  - {id: a, wait: 1d}\n  - {id: b, branch: has:way, yes: c, no: a}\n"
        "  - {id: c, exit: done}\n"
    )
    assert document.steps[1].edges == {"1": "c", "otherwise": "a"}


@pytest.mark.parametrize("name", ["welcome", "reunion"])
def test_starter_journeys_pass_every_check_and_serve_a_goal(
    session: Session, now: datetime, name: str
) -> None:
    text = (ROOT / f"journeys/{name}.yaml").read_text()
    done = publish(session, text, now)
    assert done.journey.goal == done.version.document["serves"] != ""
    assert stored(done.version.document) == read_document(text)
    for step in queries.send_steps([done.version]):
        document = queries.document_of(done.version)
        content = next(s.content for s in document.steps if s.id == step)  # type: ignore[union-attr]
        version = content_version(session, content, None)
        assert version is not None
        assert {"en", "es"} <= set(variants_of(session, version.id))


waits = st.integers(1, 500).map(lambda n: f"{n}d")
names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)


@settings(max_examples=60)
@given(st.lists(st.tuples(names, waits), min_size=1, max_size=8, unique_by=lambda t: t[0]), names)
def test_a_document_survives_its_canonical_form(steps: list[Any], reason: str) -> None:
    lines = [f'  - {{id: "{name}", wait: {wait}}}\n' for name, wait in steps]
    document = read_document(HEAD + "".join(lines) + f'  - {{id: the-end, exit: "{reason}"}}\n')
    again = stored(json.loads(json.dumps(document.canonical)))
    assert again == document
    assert again.sha256 == document.sha256
    other = document.model_copy(update={"name": document.name + "!"})
    assert isinstance(other, Document)
    assert other.sha256 != document.sha256


def test_an_identical_document_makes_no_version_and_comments_do_not_count(
    session: Session, now: datetime
) -> None:
    first = publish(session, PLAIN, now)
    again = publish(session, "# a remark\n" + PLAIN, now)
    assert (first.created, again.created) == (True, False)
    assert again.version.id == first.version.id
    changed = publish(session, PLAIN.replace("2d", "3d"), now)
    assert (changed.created, changed.version.no) == (True, 2)
    assert first.version.source == PLAIN


def test_people_inside_stay_on_their_version(session: Session, make: Make, now: datetime) -> None:
    early = make.alumnus(class_year=2026)
    publish(session, PLAIN, now)
    advance(now)
    publish(session, PLAIN.replace("2d", "30d"), now)
    late = make.alumnus(class_year=2026)
    advance(now)
    advance(now + 2 * DAY)
    ended = dict(session.execute(select(Enrollment.alumnus_id, Enrollment.ended_at)).all())
    assert ended == {early.id: now + 2 * DAY, late.id: None}
    versions = select(JourneyVersion.no).join(
        Enrollment, Enrollment.version_id == JourneyVersion.id
    )
    assert session.scalars(versions.order_by(Enrollment.id)).all() == [1, 2]


def count(session: Session) -> int:
    return len(session.scalars(select(Enrollment.id)).all())


@pytest.mark.parametrize(
    ("reentry", "after_year", "after_two"),
    [("once", 1, 1), ("yearly", 2, 3), ("after_exit\n  gap: 400d", 1, 2)],
)
def test_re_entry_is_bounded_by_its_rule(
    session: Session, make: Make, now: datetime, reentry: str, after_year: int, after_two: int
) -> None:
    make.alumnus(class_year=2026)
    text = PLAIN.replace("enter: class:2026", f"enter:\n  when: class:2026\n  reentry: {reentry}")
    publish(session, text, now)
    for days in (0, 2, 3, 4):
        advance(now + days * DAY)
    assert count(session) == 1
    advance(now + 365 * DAY)
    assert count(session) == after_year
    advance(now + 370 * DAY)
    advance(now + 735 * DAY)
    assert count(session) == after_two


def test_an_exit_rule_lets_people_out_when_they_change_and_keeps_them_from_entering(
    session: Session, make: Make, now: datetime
) -> None:
    stays, leaves = make.alumnus(class_year=2026), make.alumnus(class_year=2026)
    helper = make.alumnus(class_year=2026, ways=("mentor",))
    publish(session, PLAIN.replace("steps:", "exit: has:way\nsteps:").replace("2d", "90d"), now)
    assert advance(now).entered == 2
    make.save(Interest(alumnus_id=leaves.id, kind=InterestKind.WAY, key="speak", since=now))
    report = advance(now + DAY)
    assert report.ended == 1
    reasons = dict(session.execute(select(Enrollment.alumnus_id, Enrollment.end_reason)).all())
    assert reasons == {stays.id: None, leaves.id: "exit"}
    assert helper.id not in reasons


def test_death_and_merging_end_the_way(session: Session, make: Make, now: datetime) -> None:
    dead, merged, other = (make.alumnus(class_year=2026) for _ in range(3))
    publish(session, PLAIN, now)
    advance(now)
    dead.deceased, merged.merged_into_id = True, other.id
    session.commit()
    advance(now + DAY)
    reasons = dict(session.execute(select(Enrollment.alumnus_id, Enrollment.end_reason)).all())
    assert reasons == {dead.id: "deceased", merged.id: "merged", other.id: None}


def test_a_branch_takes_the_first_arm_that_means_the_person(
    session: Session, make: Make, now: datetime
) -> None:
    both = make.alumnus(class_year=2026, ways=("mentor", "speak"))
    one = make.alumnus(class_year=2026, ways=("speak",))
    none = make.alumnus(class_year=2026)
    publish(
        session,
        HEAD + "  - id: which\n    branch:\n      - {when: way:mentor, next: m}\n"
        "      - {when: way:speak, next: s}\n    otherwise: n\n"
        "  - {id: m, exit: m}\n  - {id: s, exit: s}\n  - {id: n, exit: n}\n",
        now,
    )
    advance(now)
    ends = dict(session.execute(select(Enrollment.alumnus_id, Enrollment.end_reason)).all())
    assert ends == {both.id: "m", one.id: "s", none.id: "n"}
    runs = session.execute(
        select(StepRun.outcome).where(StepRun.step_no == 0).order_by(StepRun.enrollment_id)
    )
    assert [word for (word,) in runs] == ["1", "2", "otherwise"]


def test_reunion_people_enter_in_their_years_only(
    session: Session, make: Make, now: datetime
) -> None:
    five, six, ten = (make.alumnus(class_year=year) for year in (2021, 2020, 2016))
    publish(session, (ROOT / "journeys/reunion.yaml").read_text(), now)
    advance(now)
    inside = set(session.scalars(select(Enrollment.alumnus_id)))
    assert inside == {five.id, ten.id}
    for days in (30, 365 * 4, 365 * 4 + 40):
        advance(now + days * DAY)
    again = select(Enrollment.entry_key).where(Enrollment.alumnus_id == six.id)
    assert session.scalars(again).all() == ["2030"]
