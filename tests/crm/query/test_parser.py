"""How a query is read, and what is said of one that cannot be."""

from __future__ import annotations

import pytest

from crm.query import QueryError
from crm.query.nodes import All, Not, One, Range, Term
from crm.query.parser import MAX_DEPTH, MAX_TERMS, MAX_TEXT, parse


def test_the_design_s_own_example_reads_as_it_should() -> None:
    text = (
        'class:2010..2015 school:"Booker T. Washington" way:mentor,speak -asked:90d '
        'stage:involved.. (employer:delta or field:health) "Ana María" bob'
    )
    node = parse(text)
    assert str(node) == text
    assert isinstance(node, All)
    assert node.items[0] == Term("class", (Range(One("2010"), One("2015")),))
    assert node.items[1] == Term("school", (One("Booker T. Washington", quoted=True),))
    assert node.items[2] == Term("way", (One("mentor"), One("speak")))
    assert node.items[3] == Not(Term("asked", (One("90d"),)))
    assert node.items[4] == Term("stage", (Range(One("involved"), None),))
    assert node.items[6:] == (
        Term("name", (One("Ana María", quoted=True),)),
        Term("name", (One("bob"),)),
    )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("  Ana   Mar ", "Ana Mar"),
        ("Ana and Bob AND not Eve", "Ana Bob -Eve"),
        ("a or b or c d", "a or b or c d"),
        ("(a or b) c", "(a or b) c"),
        ("((a)) (b c)", "a b c"),
        ("not not a", "a"),
        ("-(a b)", "-(a b)"),
        ("Mensah, Ada", "Mensah Ada"),
        ("Or Ben-Zvi", "Or Ben-Zvi"),
        ("O'Brien", "O'Brien"),
        ("CLASS:2010..", "class:2010.."),
        ("class:..2010", "class:..2010"),
        ("name:ana name:or", "ana name:or"),
        ("custom.Favorite_Club:chess", "custom.Favorite_Club:chess"),
        ("“Ana María” class：2010", '"Ana María" class:2010'),
        (r'employer:"A \"B\" \\ C"', r'employer:"A \"B\" \\ C"'),
        ("ናርዶስ محمد 김", "ናርዶስ محمد 김"),
        ("id:sis:00042", "id:sis:00042"),
    ],
)
def test_a_query_has_one_canonical_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "word", "says"),
    [
        ('ana "bob', '"', "never closed"),
        ("(ana (bob)", "(", "bracket is never closed"),
        ("ana)", ")", "nothing to close"),
        ("ana or", "or", "Something must follow"),
        ("or ana", "or", "between two conditions"),
        ("ana and or bob", "or", "between two conditions"),
        ("()", ")", "nothing to close"),
        ("ana way:", "way:", "right after way:"),
        ("way: mentor", "way:", "without a blank"),
        ("way:mentor, speak", "way:mentor,", "a,b,c"),
        ("class:1..2..3", "..", "comma between"),
        ('city:a"b"', '"b"', "comma between"),
        ("class:..", "class:..", "missing"),
        ('city:""', '""', "nothing between"),
        ("10:30", ":", "right after the name of a field"),
        ("ana -", "-", "Something must follow"),
        ("ana \x00", "\x00", "cannot be read"),
        ("ana ,", ",", "no name"),
    ],
)
def test_an_error_points_at_the_word(text: str, word: str, says: str) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        parse(text)
    error = caught.value
    assert text[error.position : error.position + error.length] == word


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_TEXT + 1),
        "a " * (MAX_TERMS + 1),
        "class:" + ",".join("2015" for _ in range(MAX_TERMS + 1)),
        "(a -" * MAX_DEPTH + "a" + ")" * MAX_DEPTH,
        "(" * 1_999,
        "-(a or " * 285,
    ],
)
def test_queries_have_limits(text: str) -> None:
    with pytest.raises(QueryError):
        parse(text)


def test_many_needless_brackets_and_minus_signs_do_no_harm() -> None:
    assert str(parse("(" * 990 + "a" + ")" * 990)) == "a"
    assert str(parse("-" * 1_999 + "a")) == "-a"
