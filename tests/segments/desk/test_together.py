"""Open requests solved together by `requests advance`: nobody twice, stolen or starved."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from segments.asks.models import Ask, AskState, Commitment, CommitmentState
from segments.desk.advance import advance
from segments.desk.match import match
from segments.desk.together import propose, school_weights
from segments.requests.models import Request, RequestState
from tests.factories import Make
from tests.segments.story import ask, clear, make_request, make_speaker


def by_itself(make: Make, request: Request) -> Request:
    request.auto = True
    make.session.flush()
    return request


def asked_for(session: Session, request: Request) -> set[int]:
    return set(session.scalars(select(Ask.alumnus_id).where(Ask.request_id == request.id)))


def test_the_later_request_gets_the_only_one_it_may_ask(session: Session, make: Make) -> None:
    """First come, first served would give her to the first request, which has another."""
    first_school, second_school = make.school(), make.school()
    first = by_itself(make, make_request(make, first_school))
    second = by_itself(make, make_request(make, second_school))
    ada = make_speaker(make, "Ada", second_school, subjects=("health",))
    ben = make.alumnus("Ben", school=first_school, ways=("speak",))
    clear(make, ben, school_id=first_school.id)
    session.commit()
    assert match(session, first, at=make.at).candidates[0].alumnus_id == ada.id
    assert [c.alumnus_id for c in match(session, second, at=make.at).candidates] == [ada.id]
    done = advance(make.at)
    assert (done.waves, done.asked) == (2, 2)
    assert (asked_for(session, first), asked_for(session, second)) == ({ben.id}, {ada.id})


def test_one_person_is_never_asked_for_two_requests(session: Session, make: Make) -> None:
    school = make.school()
    requests = [by_itself(make, make_request(make, school, places=2)) for _ in range(4)]
    for n in range(9):
        make_speaker(make, f"P{n}", school)
    session.commit()
    advance(make.at)
    asked = session.scalars(select(Ask.alumnus_id)).all()
    assert len(asked) == len(set(asked)) >= 4
    assert all(asked_for(session, request) for request in requests)
    assert {r.reason for r in requests} == {None}


def test_a_held_person_is_not_proposed_to_another_request(session: Session, make: Make) -> None:
    school = make.school()
    held = make_speaker(make, "Held", school)
    ask(make, make_request(make, school), held)
    other = by_itself(make, make_request(make, school))
    session.commit()
    (proposal,) = propose(session, [other], at=make.at)
    assert (proposal.picks, proposal.exhausted) == ((), True)


def test_a_request_whose_people_others_took_waits_and_one_without_any_says_so(
    session: Session, make: Make
) -> None:
    school = make.school()
    better = by_itself(make, make_request(make, school))
    waiting = by_itself(make, make_request(make, school, subject_key="law"))
    alone = by_itself(make, make_request(make, school, way_key="judge"))
    make_speaker(make, "Ada", school, subjects=("health",))
    session.commit()
    advance(make.at)
    session.expire_all()
    assert len(asked_for(session, better)) == 1
    assert (waiting.state, waiting.reason) == (RequestState.APPROVED, None)
    assert alone.reason == "nobody_left"


def test_the_same_district_gets_the_same_proposals(session: Session, make: Make) -> None:
    school = make.school()
    requests = [make_request(make, school, places=2) for _ in range(3)]
    for n in range(12):
        make_speaker(make, f"P{n}", school)
    session.commit()
    assert propose(session, requests, at=make.at) == propose(session, requests, at=make.at)


def test_together_and_by_itself_rank_alike(session: Session, make: Make) -> None:
    """What one request is proposed alone is the beginning of what its page shows."""
    school = make.school(city="Atlanta")
    request = make_request(make, school, places=3)
    for n in range(15):
        person = make_speaker(make, f"P{n}", school if n % 2 else None, city="Atlanta")
        for k in range(n % 4):
            make.interaction(person, days_ago=100 + 30 * k)
    session.commit()
    (proposal,) = propose(session, [request], at=make.at)
    best = [p.alumnus_id for p in proposal.picks if p.chosen_by == "rank"]
    shown = match(session, request, at=make.at, limit=30).candidates
    assert best
    assert set(best) <= {c.alumnus_id for c in shown[: 2 * len(best) + 1]}
    chance = {c.alumnus_id: c.probability for c in shown}
    assert all(p.probability == chance[p.alumnus_id] for p in proposal.picks)
    assert all(p.reasons for p in proposal.picks)


def test_a_school_that_got_fewer_of_its_places_counts_more(session: Session, make: Make) -> None:
    lucky, passed_over = make.school(), make.school()
    for school, state in ((lucky, RequestState.DONE), (passed_over, RequestState.UNFILLED)):
        for n in range(4):
            request = make_request(make, school)
            request.state = state
            if state is RequestState.DONE:
                person = make.alumnus(f"{school.id}-{n}", school=school)
                made = make.save(
                    Ask(request_id=request.id, alumnus_id=person.id, way_key="speak",
                        state=AskState.ACCEPTED, asked_at=make.at, reasons=[])
                )  # fmt: skip
                make.save(
                    Commitment(
                        ask_id=made.id, request_id=request.id, alumnus_id=person.id,
                        starts_at=make.at, ends_at=make.at + timedelta(hours=1),
                        state=CommitmentState.ATTENDED, created_at=make.at,
                    )
                )  # fmt: skip
    weights = school_weights(session, make.at)
    assert weights[passed_over.id] == 2.0
    assert weights[lucky.id] < 1.0 < weights[passed_over.id]
    assert session.scalar(select(func.count()).select_from(Request)) == 8
