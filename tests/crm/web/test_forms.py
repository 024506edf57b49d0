"""Forms: what people type is tidied, and what no column could hold is refused at its field."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from flask import Flask
from wtforms import DateField, DecimalField, FloatField, IntegerField, StringField

from crm.web.forms import Form


class Sample(Form):
    """One field of each kind that could hold too much."""

    name = StringField()
    count = IntegerField()
    hours = DecimalField()
    share = FloatField()
    day = DateField()


GOOD = {"name": "Ada", "count": "3", "hours": "1.5", "share": "0.5", "day": "2026-09-15"}


def filled(app: Flask, **changes: str) -> Sample:
    with app.test_request_context("/", method="POST", data={**GOOD, **changes}):
        form = Sample()
        form.validate()
        return form


def test_blanks_and_control_characters_are_taken_off(app: Flask) -> None:
    form = filled(app, name="  Zoë\x00 \x07Nuñez\r\n ")
    assert form.name.data == "Zoë Nuñez"
    assert form.errors == {}
    assert form.day.data == date(2026, 9, 15)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("count", "9" * 400),
        ("count", "-1000000000"),
        ("hours", "NaN"),
        ("hours", "sNaN"),
        ("hours", "Infinity"),
        ("hours", "1e40"),
        ("share", "nan"),
        ("share", "inf"),
        ("day", "0001-01-01"),
        ("day", "9999-12-31"),
    ],
)
def test_what_nothing_could_hold_is_an_error_at_its_field(
    app: Flask, field: str, value: str
) -> None:
    errors: dict[str, Any] = filled(app, **{field: value}).errors
    assert list(errors) == [field]
