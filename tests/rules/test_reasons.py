"""What files are refused for, and what is said of their lines, speaks the reader's language."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from crm.core.errors import Refused, fault_at
from crm.imports.reasons import SENTENCES, in_reader_words, sentence_of
from tests.rules.public_words import ROOT
from tests.rules.refused import variables
from tests.rules.test_translations import known_in

IMPORTS = ROOT / "crm/imports"
SAYING = (
    *sorted((IMPORTS / "people").glob("*.py")),
    *(IMPORTS / f"{name}.py" for name in ("values", "schools", "interactions")),
    ROOT / "segments/asks/history.py",
)
"""Modules that say of a line what is wrong with it, or what was left out."""
PLACES = {"ValueError": -1, "Fault": 0, "note": 1}
FAULTS = {"fault_at": 1, "Broken": 2}
FILES = ("decoding", "xlsx", "bundle", "reader", "fixed", "framed", "orgs", "schools", "service")


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def said(path: Path) -> Iterator[ast.expr]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if called(node) in PLACES:
            yield node.args[PLACES[called(node)]]
        if called(node) == "setdefault" and isinstance(node.args[-1], ast.Tuple):
            yield node.args[-1].elts[-1]


def samples(node: ast.expr) -> Iterator[str]:
    """Texts as they could be; nothing for what is said elsewhere."""
    if isinstance(node, ast.IfExp):
        yield from (*samples(node.body), *samples(node.orelse))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(v.value) if isinstance(v, ast.Constant) else "7" for v in node.values)


def test_every_reason_of_a_line_has_its_sentence() -> None:
    unknown, count = [], 0
    for path in SAYING:
        known = variables(ast.parse(path.read_text()))
        for node in said(path):
            places = known.get(node.id, ()) if isinstance(node, ast.Name) else [node]
            for text in (text for place in places for text in samples(place)):
                if " " in text:
                    count += 1
                    if sentence_of(text) is None:
                        unknown.append(f"{path.name}: {text}")
    assert count > 40
    assert unknown == []


def test_every_sentence_is_in_the_catalogue() -> None:
    known = known_in("es")
    assert [one for one in SENTENCES if one not in known] == []


def faults(tree: ast.Module) -> Iterator[str]:
    """The sentences of a module's faults; an f-string where there should be one is "%"."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = variables(tree) | variables(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and called(node) in FAULTS and node.args:
                said = node.args[FAULTS[called(node)]]
                for value in known.get(said.id, ()) if isinstance(said, ast.Name) else [said]:
                    yield from texts_of(value)
            if isinstance(node, ast.Call) and called(node) == "Refused" and node.args:
                listed = getattr(node.args[0], "elts", ())
                yield from ("%" for e in listed if isinstance(e, ast.JoinedStr))


def texts_of(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr) and not any(
        isinstance(v, ast.Constant) and len(v.value) > 2 for v in node.values
    ):
        return
    yield from ("%",) if isinstance(node, ast.JoinedStr) else samples(node)


def test_files_name_their_faults_in_sentences_that_are_in_the_catalogue() -> None:
    known, wrong, count = known_in("es") | set(SENTENCES), [], 0
    for name in FILES:
        path = IMPORTS / f"{name}.py"
        for text in faults(ast.parse(path.read_text())):
            count += 1
            if text and text not in known:
                wrong.append(f"{name}: {text}")
    assert count > 25
    assert wrong == []


def test_a_fault_put_together_would_be_found() -> None:
    bad = "def f():\n  raise Refused([f'{n}: is bad'])"
    assert list(faults(ast.parse(bad))) == ["%"]
    bad = "def f():\n  raise Refused([fault_at(n, 'is bad')])"
    assert list(faults(ast.parse(bad))) == ["is bad"]


@pytest.mark.parametrize(
    ("english", "spanish"),
    [
        ("DOB “13/45/99” is no likely date; left out",
         "DOB “13/45/99” no es una fecha verosímil; se omitió"),
        ("fits several people: #3 and line 5", "coincide con varias personas: #3 y línea 5"),
        ("Phone “x” is no phone number; left out; Mail “y” is no e-mail address; left out",
         ("Phone “x” no es un número de teléfono; se omitió; "
          "Mail “y” no es una dirección de correo; se omitió")),
        ("a word of nobody's", "a word of nobody's"),
    ],
)  # fmt: skip
def test_a_line_is_told_about_in_the_language_of_its_reader(
    app: Flask, english: str, spanish: str
) -> None:
    with app.test_request_context("/"):
        assert in_reader_words(english) == english
    with app.test_request_context("/?lang=es"):
        assert in_reader_words(english) == spanish


def test_a_file_is_refused_in_the_language_of_its_reader(app: Flask) -> None:
    refused = Refused([fault_at("a.csv:3", "has %(count)s columns; at most %(most)s are read",
                                count=7, most=5)])  # fmt: skip
    assert str(refused) == "a.csv:3: has 7 columns; at most 5 are read"
    with app.test_request_context("/?lang=es"):
        assert refused.problems == ("a.csv:3: tiene 7 columnas; se leen como máximo 5",)
