"""Languages: which one a reader gets, their catalogues, and text direction.

Staff use their account's language, alumni their own; anybody may choose another for the visit with
`?lang=`, which their browser keeps in its session. What alumni and the public see is written in
more languages than the pages of staff. Catalogues are kept as `.po` text and compiled into the
instance folder at start.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.core import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask, current_app, g, request, session
from flask_babel import Babel, format_date, format_time, get_locale, get_translations
from flask_babel import lazy_gettext as _
from flask_login import current_user

from crm.core.errors import in_words

STAFF_LANGUAGES = {"en": "English", "es": "Español"}
"""Languages that every page is written in."""

LANGUAGES = STAFF_LANGUAGES | {"am": "አማርኛ"}
"""Languages of what alumni and the public see: their pages and the program's own letters.

Content may be written in any of `CONTENT_LANGUAGES`.
"""

CONTENT_LANGUAGES = {
    "en": _("English"), "es": _("Spanish"), "am": _("Amharic"), "ar": _("Arabic"),
    "fr": _("French"), "ht": _("Haitian Creole"), "ko": _("Korean"), "my": _("Burmese"),
    "ne": _("Nepali"), "pt": _("Portuguese"), "so": _("Somali"), "sw": _("Swahili"),
    "vi": _("Vietnamese"), "zh": _("Chinese"),
}  # fmt: skip

babel = Babel()  # type: ignore[no-untyped-call]


def for_staff() -> bool:
    """Whether the page of this request is one of staff, or on the way into their account."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return bool(current_user.is_authenticated)
    outside = getattr(view, "access", None) == "public" and not getattr(view, "entrance", False)
    return not outside or bool(g.get("staff_page"))


def languages() -> Mapping[str, str]:
    """The languages that the page of this request is written in, by their own names."""
    return STAFF_LANGUAGES if request and for_staff() else LANGUAGES


def choose_language() -> str:
    """The language of this answer."""
    wanted = (request.args.get("lang"), session.get("language")) if request else ()
    if request:
        current_user.get_id()  # Loads the account, which knows its language.
    offered = languages()
    for known in (*wanted, g.get("language")):
        if known in offered:
            return str(known)
    return (request.accept_languages.best_match(offered) if request else None) or "en"


def page_language() -> str:
    """The language that this answer is in."""
    return str(get_locale() or "en")


@lru_cache(maxsize=256)
def text_direction(language: str) -> str:
    """`rtl` for languages written from right to left, else `ltr`."""
    return "rtl" if Locale.parse(language).text_direction == "rtl" else "ltr"


def moment_words(moment: datetime | None, _format: str = "medium") -> str:
    """A moment on a page, to the minute: Nov 23, 2026, 4:05 PM."""
    if moment is None:
        return ""
    day = format_date(moment, "medium")  # type: ignore[no-untyped-call]
    time = format_time(moment, "short")  # type: ignore[no-untyped-call]
    return f"{day}, {time}"


def translations() -> Any:
    """`flask_babel.get_translations`, which a page asks for each of its words, looked up once.

    Kept where `force_locale` and `refresh` of that library take it away when the language changes.
    """
    place = getattr(g, "_flask_babel", None) if g else None
    found = getattr(place, "babel_translations", None)
    if found is None:
        found = get_translations()
        if place is not None:
            place.babel_translations = found
    return found


def compile_catalogues(source: Path, target: Path) -> Path:
    """Compile each `.po` under `source` that is newer than its compiled twin under `target`."""
    for po in source.glob("*/LC_MESSAGES/*.po"):
        mo = target / po.relative_to(source).with_suffix(".mo")
        if mo.exists() and mo.stat().st_mtime >= po.stat().st_mtime:
            continue
        mo.parent.mkdir(parents=True, exist_ok=True)
        with po.open("rb") as readable, mo.open("wb") as writable:
            write_mo(writable, read_po(readable))
    return target


def init_app(app: Flask) -> None:
    """Set up translations and what templates need to say the page's language."""
    compiled = compile_catalogues(
        Path(app.root_path) / "translations", Path(app.instance_path) / "translations"
    )
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(compiled)
    babel.init_app(app, locale_selector=choose_language)  # type: ignore[no-untyped-call]
    app.jinja_env.filters["datetimeformat"] = moment_words
    app.jinja_env.filters["in_words"] = in_words
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: translations().ugettext(text),
        ngettext=lambda one, many, count: translations().ungettext(one, many, count),
        newstyle=True,
    )

    @app.before_request
    def keep_choice() -> None:
        wanted = request.args.get("lang")
        if wanted in LANGUAGES and session.get("language") != wanted:
            session["language"] = wanted

    @app.context_processor
    def language_words() -> dict[str, object]:
        language = page_language()
        return {
            "page_language": language,
            "page_direction": text_direction(language),
            "languages": LANGUAGES,
            "staff_page": bool(request) and for_staff(),
        }
