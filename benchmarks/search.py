"""The list of people as a browser gets it, against a bare Flask view with bare SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any

import psycopg
from flask import Flask, request
from flask.testing import FlaskClient
from psycopg.rows import dict_row
from sqlalchemy import text

from benchmarks.data import filled_app
from benchmarks.figures import Figure, percentile, side_by_side
from crm.accounts.models import User
from crm.accounts.sessions import start_session
from crm.core import clock
from crm.core.application import database_address
from crm.core.database import db
from crm.core.extend import QueryContext
from crm.core.viewer import Role, Viewer
from crm.query import compile_query, count_up_to
from crm.web.paging import PAGE, encode

TIMES = 40
PAGE_GOAL = 3.0
COUNT_GOAL = 1.5
COUNTED = 10_000


@dataclass(frozen=True)
class Query:
    """A query as it is typed and as the SQL that somebody would write for it alone."""

    name: str
    typed: str
    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


QUERIES = (
    Query("everybody", "", "true"),
    Query("name beginning", "mar",
          "to_tsvector('simple', name_key) @@ to_tsquery('simple', 'mar:*')"),
    Query("two name beginnings", "mar gr",
          "to_tsvector('simple', name_key) @@ to_tsquery('simple', 'mar:* & gr:*')"),
    Query("class range", "class:2010..2015", "class_year between 2010 and 2015"),
    Query("school and class", 'school:"School 4 High" class:2012',
          "class_year = 2012 and exists (select from schooling s join school h on "
          "h.id = s.school_id where s.alumnus_id = a.id and h.name = 'School 4 High')"),
    Query("way and class", "way:mentor class:2005..2010",
          "class_year between 2005 and 2010 and exists (select from interest i where "
          "i.alumnus_id = a.id and i.kind = 'way' and i.key = 'mentor')"),
    Query("stage", "stage:leading", "exists (select from standing t where t.alumnus_id = a.id "
          "and t.stage = 'leading')"),
    Query("nobody", "class:1850", "class_year = 1850"),
)  # fmt: skip
BARE_PAGE = """<!doctype html><title>People</title><form><input name="q"></form><table>
{% for p in people %}<tr><td><a href="/people/{{ p.id }}">{{ p.given_name }} {{ p.family_name }}</a>
</td><td>{{ p.class_year }}</td><td>{{ p.city }}</td></tr>{% endfor %}</table>"""


def bare_sql(query: Query, *, later: bool = False) -> str:
    """The floor's page of a query: the list's order, the keyset bound, nothing of the wall but
    that merged records are out, since the indexes leave them out too.
    """
    after = "and (sort_key, id) > (%(sort_key)s, %(id)s)" if later else ""
    return (
        "select a.id, given_name, family_name, class_year, city from alumnus a "
        f"where merged_into_id is null and {query.sql} {after} order by sort_key, id limit {PAGE}"
    )


def bare_app(connection: psycopg.Connection[Any]) -> Flask:
    """A Flask app whose only view runs one statement on an open connection and fills one list."""
    app = Flask("floor")
    cursor = connection.cursor(row_factory=dict_row)
    page = app.jinja_env.from_string(BARE_PAGE)
    first = {(q.name, False): bare_sql(q) for q in QUERIES}
    statements = first | {(q.name, True): bare_sql(q, later=True) for q in QUERIES}

    @app.get("/people")
    def people() -> str:
        later = "id" in request.args
        cursor.execute(statements[request.args["name"], later], request.args.to_dict())
        return page.render(people=cursor.fetchall())

    return app


def run(people: int) -> list[Figure]:
    """p50 and p95 of first pages, a page in the middle, and counts, in a district of `people`."""
    with (
        filled_app(people) as app,
        psycopg.connect(database_address(app), autocommit=True) as connection,
    ):
        floor = bare_app(connection).test_client()
        ours = signed_in(app)
        figures = [f for q in QUERIES for f in _first_page(q, people, ours, floor)]
        figures += _middle(people, ours, floor)
        return figures + [_count(q, people, connection) for q in QUERIES]


def signed_in(app: Flask) -> FlaskClient:
    """A browser signed in as a coordinator."""
    session, at = db.session(), clock.now()
    user = User(email="bench@district.example", name="Bench", role=Role.COORDINATOR, created_at=at)
    session.add(user)
    session.flush()
    token = start_session(session, user, at=at)
    session.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie["_user_id"] = token
        cookie["_fresh"] = True
    return client


def fetch(client: FlaskClient, **arguments: Any) -> Callable[[], None]:
    """A request for the list that must succeed, as a server gets it: in a context of its own.

    Inside the application's context the account that the first request loaded would be kept.
    """

    def get() -> None:
        answer = Context().run(client.get, "/people", query_string=arguments)
        if answer.status_code != 200:
            raise RuntimeError(f"/people answered {answer.status_code} to {arguments}")

    return get


def _first_page(query: Query, people: int, ours: FlaskClient, floor: FlaskClient) -> list[Figure]:
    pair = side_by_side(fetch(ours, q=query.typed), fetch(floor, name=query.name), TIMES)
    return _percentiles(query.name, people, *pair)


def _middle(people: int, ours: FlaskClient, floor: FlaskClient) -> list[Figure]:
    """A page from the middle of the whole list."""
    middle = text("select sort_key, id from alumnus order by 1, 2 offset :half limit 1")
    place = db.session.execute(middle, {"half": people // 2}).one()
    db.session.rollback()
    ask = fetch(ours, after=encode(list(place)))
    bare = fetch(floor, name="everybody", sort_key=place.sort_key, id=place.id)
    return _percentiles("page in the middle", people, *side_by_side(ask, bare, TIMES))


def _percentiles(
    name: str, people: int, ours: Sequence[float], floor: Sequence[float]
) -> list[Figure]:
    return [
        Figure(
            "search", f"{name}, {word}", people, "ms", percentile(ours, share),
            percentile(floor, share), goal,
        )
        for word, share, goal in (("p50", 0.5, None), ("p95", 0.95, PAGE_GOAL))
    ]  # fmt: skip


def _count(query: Query, people: int, connection: psycopg.Connection[Any]) -> Figure:
    """Counting up to 10,000, compiling included, against the bare count of as many."""
    viewer = Viewer(user_id=1, role=Role.COORDINATOR, name="Bench", school_ids=None)
    bare = (
        "select count(*) from (select a.id from alumnus a where merged_into_id is null "
        f"and {query.sql} limit {COUNTED + 1}) as found"
    )

    def count() -> None:
        session = db.session()
        context = QueryContext(session, viewer, clock.now())
        count_up_to(session, compile_query(query.typed, context), COUNTED)
        session.rollback()

    ours, floor = side_by_side(count, lambda: connection.execute(bare).fetchall(), TIMES // 2)
    name = f"count of {query.name}, p50"
    return Figure(
        "search", name, people, "ms", percentile(ours, 0.5), percentile(floor, 0.5), COUNT_GOAL
    )
