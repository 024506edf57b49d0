"""Pieces of pages that are the same for many readers, rendered once by each process."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import cast

from flask import Flask, current_app, request
from flask_babel import get_locale
from markupsafe import Markup


def kept(*key: Hashable, caller: Callable[[], str]) -> str:
    """The piece inside `{% call kept(…) %}`: rendered once for each key, language and root.

    The piece may say nothing but what follows from those three: no person, no form token, no
    address with arguments of this request. A None in the key says that there is none this time;
    a program that is being developed keeps nothing.
    """
    if None in key or current_app.debug:
        return caller()
    pieces = cast(dict[Hashable, str], current_app.extensions["homecoming.kept"])
    place = (key, str(get_locale()), request.script_root)
    found = pieces.get(place)
    if found is None:
        found = pieces[place] = Markup(caller())  # noqa: S704 - made by our own templates
    return found


def init_app(app: Flask) -> None:
    """Let templates keep pieces."""
    app.extensions["homecoming.kept"] = {}
    app.jinja_env.globals["kept"] = kept
