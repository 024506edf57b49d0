"""The list of people as a browser gets it, against a bare Flask view with bare SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any

import psycopg
from flask import Flask, request
from flask.testing import FlaskClient
from psycopg.rows import dict_row
from sqlalchemy import text

from benchmarks.data import filled_app
from benchmarks.figures import Figure, percentile, side_by_side
from benchmarks.queries import COUNTED, QUERIES, SHOWN, WHOLE, Query
from crm.accounts.models import User
from crm.accounts.sessions import start_session
from crm.alumni.search import Found, search
from crm.core import clock
from crm.core.application import database_address
from crm.core.database import db
from crm.core.extend import QueryContext
from crm.core.viewer import Role, Viewer
from crm.query import compile_query, count_up_to
from crm.web.paging import encode

TIMES = 20
PAGE_GOAL = 3.0
COUNT_GOAL = 1.5
VIEWER = Viewer(user_id=1, role=Role.COORDINATOR, name="Bench", school_ids=None)
Cursor = psycopg.Cursor[dict[str, Any]]


BARE_PAGE = """<!doctype html><title>People</title><form><input name="q"></form><table>
<p>{{ count }}</p>
{% for p in people %}<tr><td><a href="/people/{{ p.id }}">{{ p.given_name }} {{ p.family_name }}</a>
</td><td>{{ p.class_year }}</td><td>{{ p.city }}</td></tr>{% endfor %}</table>"""


def bare_app(cursor: Cursor) -> Flask:
    """A Flask app whose only view runs the bare statements and fills one list."""
    app = Flask("floor")
    page = app.jinja_env.from_string(BARE_PAGE)

    @app.get("/people")
    def people() -> str:
        query = WHOLE[request.args.get("number", 0, int)]
        later = "id" in request.args
        return page.render(**bare(cursor, query, later=later, **request.args.to_dict()))

    return app


def bare(cursor: Cursor, query: Query, *, later: bool = False, **place: Any) -> dict[str, Any]:
    """The people of a page and how many the query means, by two statements."""
    people = cursor.execute(query.page(later=later), {**query.values, **place}).fetchall()
    return {"people": people, **one(cursor, query.count(SHOWN), query)}


def one(cursor: Cursor, statement: str, query: Query) -> dict[str, Any]:
    """The only row of a statement."""
    return cursor.execute(statement, query.values).fetchall()[0]


def run(people: int) -> list[Figure]:
    """Queries alone, whole pages and counts, in a district of `people`."""
    with (
        filled_app(people) as app,
        psycopg.connect(database_address(app), autocommit=True, row_factory=dict_row) as connection,
    ):
        cursor = connection.cursor()
        floor = bare_app(cursor).test_client()
        ours = signed_in(app)
        figures = [f for q in QUERIES for f in _query(q, people, cursor)]
        figures += [f for q in WHOLE for f in _first_page(q, people, ours, floor)]
        figures += _middle(people, ours, floor)
        return figures + [_count(q, people, cursor) for q in WHOLE]


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


def _query(query: Query, people: int, cursor: Cursor) -> list[Figure]:
    """What the page asks the database, compiling and the count included, against bare SQL."""
    session, wanted = db.session(), [row["id"] for row in bare(cursor, query)["people"]]

    def ask() -> Found:
        return search(session, VIEWER, query.typed, after=None, at=clock.now())

    if [line.id for line in ask().page.items] != wanted:
        raise RuntimeError(f"the floor finds other people than {query.name}")
    pair = side_by_side(ask, lambda: bare(cursor, query), TIMES)
    session.rollback()
    return _percentiles(f"query {query.name}", people, *pair)


def _first_page(query: Query, people: int, ours: FlaskClient, floor: FlaskClient) -> list[Figure]:
    asked = fetch(ours, q=query.typed), fetch(floor, number=WHOLE.index(query))
    return _percentiles(f"page {query.name}", people, *side_by_side(*asked, TIMES))


def _middle(people: int, ours: FlaskClient, floor: FlaskClient) -> list[Figure]:
    """A page from the middle of the whole list."""
    middle = text("select sort_key, id from alumnus order by 1, 2 offset :half limit 1")
    place = db.session.execute(middle, {"half": people // 2}).one()
    db.session.rollback()
    asked = fetch(ours, after=encode(list(place))), fetch(floor, **place._asdict())
    return _percentiles("page in the middle", people, *side_by_side(*asked, TIMES))


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


def _count(query: Query, people: int, cursor: Cursor) -> Figure:
    """Counting up to 10,000, compiling included, against the bare count of as many."""
    session, statement = db.session(), query.count(COUNTED)

    def count() -> None:
        context = QueryContext(session, VIEWER, clock.now())
        count_up_to(session, compile_query(query.typed, context), COUNTED)

    pair = side_by_side(count, lambda: one(cursor, statement, query), TIMES)
    session.rollback()
    ours, floor = (percentile(values, 0.5) for values in pair)
    return Figure("search", f"count {query.name}, p50", people, "ms", ours, floor, COUNT_GOAL)
