"""Every field and every kind of row that any package registers can be asked, and says itself."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from crm.core.extend import FieldKind, QueryContext, QueryField, extensions
from crm.core.viewer import SYSTEM
from crm.query import compile_query
from tests.factories import Make

SAMPLES = {
    FieldKind.TEXT: ("ana", '"Ana Lee"'),
    FieldKind.ANY: ("chess", '"Chess Club"', "2..3.5", "..2026-05", "2025-01..90d"),
    FieldKind.NUMBER: ("2", "2000..2010", "..2010", "2000.."),
    FieldKind.AMOUNT: ("2.5", "$10..", "..99.99"),
    FieldKind.DATE: ("90d", "1y..", "2026-05", "2025..2026", "+30d", "..+2w", "30d..+30d"),
}

ROWS_NEEDED = {"event", "event."}
"""Fields that know nothing until there is a row; their areas' tests ask them."""


def samples(field: QueryField, session: Session, prefix: str = "") -> list[str]:
    """Terms that ask the field in each way in which its kind can be."""
    key = field.key.rstrip(".")
    if field.key in ROWS_NEEDED:
        return []
    if field.kind is FieldKind.FLAG:
        return [f"{field.key}club" if field.key.endswith(".") else field.key]
    if field.key.endswith("."):
        names = list(field.names(session)) if field.names else []
        key = f"{key}.{names[0] if names else 'club'}"
    if field.kind is FieldKind.CHOICE:
        assert field.choices
        known = list(field.choices(session))[:3]
        return [f'{key}:"{choice}"' for choice in known]
    if (prefix, field.key) in (("did", "kind"), ("", "did")):
        return [f"{key}:talk_given"]
    special = {
        "near": "30303/25mi", "phone": '"404 555 0100"', "school": '"Lincoln High"',
        "attended": "lincoln", "cluster": "lincoln", "class": "2015,2010..2012",
    }  # fmt: skip
    if field.key in special:
        return [f"{key}:{special[field.key]}"]
    return [f"{key}:{value}" for value in SAMPLES[field.kind]]


@pytest.fixture
def asked(app: Flask, session: Session, make: Make) -> list[str]:
    """A query for each way to ask each field, rows included."""
    make.school("Lincoln High", cluster=make.cluster("Lincoln"))
    known = extensions(app)
    texts = [text for field in known.query_fields for text in samples(field, session)]
    for rows in known.query_rows.values():
        texts.append(f"{rows.key}()")
        for field in rows.fields:
            texts += [f"{rows.key}({t})" for t in samples(field, session, rows.key)]
        for total in rows.totals:
            values = SAMPLES[total.kind]
            texts += [f"{rows.key}({total.key}:{value})" for value in values]
    return texts


def test_every_field_can_be_asked_in_each_way_of_its_kind(
    session: Session, make: Make, asked: list[str]
) -> None:
    assert len(asked) > 250
    context = QueryContext(session, SYSTEM, make.at)
    for start in range(0, len(asked), 15):
        texts = asked[start : start + 15]
        for query in (" or ".join(texts), " ".join(f"-{text}" for text in texts)):
            compiled = compile_query(query, context)
            session.scalars(compiled.ids).all()
            assert compile_query(compiled.text, context).text == compiled.text


def test_every_example_is_a_query(app: Flask, session: Session, make: Make) -> None:
    make.school("Booker T. Washington", cluster=make.cluster("Jackson"))
    make.school("Old Mill")
    known = extensions(app)
    examples = [f.example for f in known.query_fields] + [
        rows.example for rows in known.query_rows.values()
    ]
    assert all(examples)
    absent = ("event", "segment:", "journey:", "entered:", "campaign:", "content:", "system:")
    for example in examples:
        if not any(word in example for word in absent):
            compile_query(example, QueryContext(session, SYSTEM, make.at))
