"""What may come next while a query is typed, and the sentence that says what it means."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from flask_babel import force_locale
from hypothesis import HealthCheck, given, settings
from sqlalchemy.orm import Session

from crm.core.extend import QueryContext
from crm.core.viewer import SYSTEM
from crm.query import QueryError, compile_query
from crm.query.completion import complete
from crm.query.nodes import Node
from crm.query.sentence import sentence
from tests.crm.query.strategies import QUERIES
from tests.crm.query.test_laws import NOISE
from tests.factories import Make

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    ("typed", "offered", "replaced"),
    [
        ("cla", "class:", "cla"),
        ("ana -way:men", "mentor", "men"),
        ("way:mentor,sp", "speak", "sp"),
        ("is:dec", "deceased", "dec"),
        ("lacks:em", "email", "em"),
        ("stage:invo", "involved", "invo"),
        ("stage:aware..lea", "leading", "lea"),
        ('school:"book', '"Booker T. Washington"', '"book'),
        ("school:wash", '"Booker T. Washington"', "wash"),
        ("di", "did(", "di"),
        ("did(ki", "kind:", "ki"),
        ("did(talk_given tim", "times:", "tim"),
        ("did(kind:tal", "talk_given", "tal"),
        ("did(gift) wa", "way:", "wa"),
        ("did.tal", "did.talk_given:", "did.tal"),
        ("clearance(expires:+", "+30d", "+"),
        ("asked:", "90d", ""),
        ("employr", "employer:", "employr"),
        ("(lang:spa", "es", "spa"),
    ],
)
def test_what_may_come_next_is_offered(
    session: Session, make: Make, typed: str, offered: str, replaced: str
) -> None:
    make.school("Booker T. Washington")
    found = complete(typed, len(typed), QueryContext(session, SYSTEM, make.at))
    assert offered in [option.text for option in found.options]
    assert typed[found.start : found.end] == replaced
    assert all(option.label for option in found.options)


def test_the_word_around_the_caret_is_replaced_as_a_whole(session: Session, make: Make) -> None:
    found = complete("way:menXX class:2015", 7, QueryContext(session, SYSTEM, make.at))
    assert (found.start, found.end) == (4, 9)


@quick
@given(text=NOISE)
def test_whatever_is_typed_completion_answers(session: Session, make: Make, text: str) -> None:
    found = complete(text, len(text) // 2, QueryContext(session, SYSTEM, make.at))
    assert 0 <= found.start <= found.end <= max(len(text), 1)


@pytest.mark.parametrize(
    ("query", "english", "spanish"),
    [
        ("", "Everybody.", "Todas las personas."),
        (
            "class:2010..2015 -asked:90d",
            (
                "People who are of the class of 2010 to 2015, but not those who were asked for "
                "help within the last 90 days."
            ),
            (
                "Personas que son de la generación de 2010 a 2015, pero no las que recibieron una "
                "solicitud de ayuda hace menos de 90 días."
            ),
        ),
        (
            "did(talk_given when:2026-05 times:2..)",
            (
                "People who have an interaction (Kind: Gave a talk; When: in May 2026; How many: "
                "2 and up)."
            ),
            (
                "Personas que tienen una interacción (Tipo: Dio una charla; Cuándo: en mayo 2026; "
                "Cuántas veces: 2 o más)."
            ),
        ),
        (
            "-is:deceased",
            "Everybody except those who are deceased.",
            "Todas las personas salvo las que han fallecido.",
        ),
    ],
)
def test_a_query_is_said_in_the_reader_s_language(
    session: Session, make: Make, query: str, english: str, spanish: str
) -> None:
    compiled = compile_query(query, QueryContext(session, SYSTEM, make.at))
    for language, said in (("en", english), ("es", spanish)):
        with force_locale(language):
            assert sentence(compiled) == said


@quick
@given(node=QUERIES)
def test_every_query_has_a_sentence(session: Session, make: Make, node: Node) -> None:
    try:
        compiled = compile_query(str(node), QueryContext(session, SYSTEM, make.at))
    except QueryError:
        return
    said = sentence(compiled)
    assert said.endswith(".")
    assert said.count("(") == said.count(")")


def test_a_page_completes_and_previews_what_its_viewer_may_see(
    make: Make, coordinator: FlaskClient
) -> None:
    make.alumnus("Ana", "Núñez")
    answer = coordinator.get("/people/complete?q=way:men")
    assert answer.json["start"] == 4  # type: ignore[index]
    preview = coordinator.get("/people/preview?q=ana").text
    assert "People who are called “ana”." in preview
    assert "1 person" in preview
    assert "Ana Núñez" in preview
    assert "Did you mean mentor?" in coordinator.get("/people/preview?q=way:mentr").text
