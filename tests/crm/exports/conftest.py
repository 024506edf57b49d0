"""What tests of exports share: a low limit, and doing the job as a worker would."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from crm.exports import making

ALONE = 3
Work = Callable[[int], None]


@pytest.fixture
def strict(app: Flask) -> Iterator[int]:
    """One account may take three people in a day; answers that number."""
    settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = settings.model_copy(update={"export_alone": ALONE})
    yield ALONE
    app.config["SETTINGS"] = settings


@pytest.fixture
def work(app: Flask) -> Work:
    """Makes the file of an export."""
    return making.make
