"""Matching: one request, two hundred together, and everybody's features and scores.

The district of `data.py` gets what a desk lives on: one in five of those who offer help is cleared,
a quarter of a million old asks, two hundred open requests of all ways, and a live model.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select, text

from benchmarks.data import MIX, _draw, filled_app
from benchmarks.figures import Figure, timed
from benchmarks.work import alone, spent
from crm.core import clock
from crm.core.database import db
from crm.interactions.models import Interaction
from segments.asks.models import Ask
from segments.desk.together import Proposal, propose
from segments.desk.waves import suggest
from segments.requests.models import Request
from segments.targeting import features, service, training
from segments.targeting.columns import columns_now
from segments.targeting.everybody import load_everybody
from segments.targeting.features import DEFAULT_BASE
from segments.targeting.learning import learn
from segments.targeting.matrices import read_matrix, write_rows

ONE_MS, TOGETHER_MS, SCORES_GOAL = 300.0, 10_000.0, 1.5
REQUESTS = 200
LEARNT_FROM = 4_000
STATEMENTS = (
    f"""insert into clearance (alumnus_id, level, proof, granted_on, expires_on, recorded_at)
        select d.id, case when {_draw("level", "d.id")} % 5 = 0 then 3 else 2 end, 'bench',
          d.day, (d.day + interval '2 years')::date, :at
        from (select o.id, (cast(:at as timestamptz)
                 - make_interval(days => ({_draw("day", "o.id")} % 600)::int))::date as day
               from (select distinct alumnus_id as id from interest where kind = 'way') o
               where {_draw("cleared", "o.id")} % 5 = 0) d""",
    f"""insert into ask (alumnus_id, way_key, state, asked_at, answered_at, wave, chosen_by,
          reasons, note)
        select d.id, d.key, d.state, d.at,
          case when d.state <> 'none' then d.at + make_interval(hours => (d.id % 70)::int) end,
          1, 'history', '[]', ''
        from (select i.alumnus_id as id, i.key, cast(:at as timestamptz) - make_interval(
                 days => (61 + {_draw("when", "i.alumnus_id")} % 1000)::int) as at,
               (array['accepted', 'accepted', 'accepted', 'declined', 'declined', 'declined',
                 'none', 'none', 'none', 'none'])[1 + {_draw("said", "i.alumnus_id")} % 10] as state
             from interest i
             where i.kind = 'way'
               and {_draw("asked", "i.alumnus_id + length(i.key)")} % 2 = 0) d""",
    f"""insert into request (school_id, title, way_key, subject_key, grade_band, pupils, places,
          place, supervision, note, state, auto, created_at, approved_at,
          since)
        select (select min(id) from school)
            + {_draw("school", "n")} % (select count(*) from school),
          'Request ' || n, (array['speak', 'speak', 'speak', 'mentor', 'mentor', 'job_shadow',
            'judge', 'tutor', 'host', 'lead'])[1 + n % 10],
          (select key from subject order by key offset n % 15 limit 1), '9-12', 25, 1 + n % 3,
          case when n % 5 = 0 then 'virtual' else 'school' end, 'supervised', '', 'approved', true,
          :at, :at, :at
        from generate_series(1, :requests) n""",
    """insert into request_date (request_id, starts_at, ends_at)
       select r.id, r.at, r.at + interval '1 hour'
       from (select id, cast(:at as timestamptz) + make_interval(days => (8 + id % 20)::int) as at
             from request) r""",
)


def fill_desk(connection: Connection, at: datetime) -> None:
    """What the desk works with; nothing is left to derive."""
    connection.execute(text("set local session_replication_role = replica"))
    given = {"at": at, "mix": MIX, "requests": REQUESTS}
    for statement in STATEMENTS:
        connection.execute(text(statement), given)


def go_live(at: datetime) -> None:
    """A model learnt from the latest asks, live for every way."""
    session = db.session()
    columns = columns_now(session)
    latest = features.asked_cases(way_key=None, until=at).order_by(Ask.id.desc())
    loaded = features.load(session, latest.limit(LEARNT_FROM), base=DEFAULT_BASE, more=columns.of)
    said = select(Ask.id, Ask.state).where(Ask.id.in_(loaded.keys.tolist()))
    answers = dict(session.execute(said).all())
    y = np.array([answers[key] == "accepted" for key in loaded.keys.tolist()], dtype=np.int64)
    model = learn(loaded.x, y, loaded.keys.astype(float), columns=columns)
    record = training._register(session, service.EVERY_WAY, model, {}, at=at)
    training._make_live(session, record)
    session.commit()


def scores(people: int, at: datetime) -> list[Figure]:
    """Everybody's features and scores, against prediction, one read and one write alone.

    All by processor time, of this process and the database's together. The read is told a second
    time with its groups taken from the index, which the planner does not choose by itself.
    """
    session = db.session()
    found = service.live_model(session, service.EVERY_WAY)
    assert found is not None
    model = found[1]
    service.store_scores(session, way_key="*", at=at)  # so that there is something to replace
    session.commit()
    settle = text("checkpoint")
    session.execute(settle)
    ours = spent(lambda: (service.store_scores(session, way_key="*", at=at), session.commit()))
    cases = load_everybody(session, way_key="*", at=at, base=DEFAULT_BASE, columns=model.columns)
    parts = list(cases)
    predict = spent(lambda: [model.linear.predict_proba(part.x) for part in parts])
    read = spent(lambda: read_matrix(session, _read()))
    session.execute(text("set local enable_hashagg = off"))
    grouped = spent(lambda: read_matrix(session, _read()))
    session.execute(text("set local enable_hashagg = on"))
    session.execute(text("create table floor_score (alumnus_id bigint, probability float8)"))
    ids = np.concatenate([part.people for part in parts])
    write = spent(lambda: (_write(ids), session.commit()))
    floor = predict + read + write
    note = (
        f"floor: predict_proba {predict:,.0f}, recency and frequency of everybody read "
        f"{read:,.0f} ({grouped:,.0f} by the index), COPY into a bare table {write:,.0f}"
    )
    return [
        Figure("matching", "features and scores", people, "ms of processor", ours, floor,
               SCORES_GOAL, note=note)
    ]  # fmt: skip


def _read() -> Any:
    at = Interaction.occurred_at
    recency = func.extract("epoch", func.max(at))
    read = select(Interaction.alumnus_id, func.count(), recency)
    return read.where(Interaction.machine.is_(False)).group_by(Interaction.alumnus_id)


def _write(ids: Any) -> None:
    write_rows(db.session(), "floor_score", {"alumnus_id": ids, "probability": ids / ids.max()})


def one_by_one(people: int, at: datetime) -> list[Figure]:
    """One request after another, each by itself: the suggestion for its next wave."""
    figures = []
    for way in ("speak", "judge"):
        wanted = select(Request.id).where(Request.way_key == way).order_by(Request.id).limit(9)
        took = [timed(_suggest(key, at)) for key in db.session().scalars(wanted).all()]
        figures.append(
            Figure(
                "matching", f"one request ({way}), median of 9", people, "ms", median(took[1:]),
                ONE_MS, 1.0, note=f"floor: the goal itself; slowest {max(took[1:]):,.0f}",
            )
        )  # fmt: skip
    return figures


def together(people: int, at: datetime) -> list[Figure]:
    """The next waves of all open requests, solved together."""
    session = db.session()
    requests = session.scalars(select(Request).order_by(Request.id)).all()
    found: list[Proposal] = []
    took = timed(lambda: found.extend(propose(session, requests, at=at)))
    session.rollback()
    asked = sum(len(proposal.picks) for proposal in found)
    note = f"floor: the goal itself; {asked} people to ask"
    name = f"{len(requests)} requests together"
    return [Figure("matching", name, people, "ms", took, TOGETHER_MS, 1.0, note=note)]


def _suggest(request_id: int, at: datetime) -> Callable[[], object]:
    def act() -> None:
        session = db.session()
        suggest(session, session.get_one(Request, request_id), at=at, counted=False)
        session.rollback()

    return act


def run(people: int) -> list[Figure]:
    """Every figure at one size; the district is thrown away afterwards."""
    with filled_app(people):
        at = clock.now()
        with db.engine.begin() as connection:
            fill_desk(connection, at)
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum (analyze)"))
        go_live(at)
        return measure(people, at)


def measure(people: int, at: datetime) -> list[Figure]:
    """The figures on a district that is filled."""
    found = [*one_by_one(people, at), *together(people, at)]
    alone()
    return [*scores(people, at), *found]
