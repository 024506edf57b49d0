"""The sentences of the public door that are decided by rules rather than by a page."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import force_locale, format_date, lazy_gettext
from flask_babel import gettext as _
from markupsafe import Markup
from segno import make_qr
from sqlalchemy.orm import Session

from crm.alumni.models import Alumnus
from crm.consent.age import AgeRule, Outreach, adult_on, under_age
from crm.core.district import chosen
from crm.core.extend import Reference
from crm.web.i18n import LANGUAGES
from crm.web.words import district_name

REFERENCE = lazy_gettext("the page where people join")


def agreement() -> str:
    """What somebody agrees to, in the language of the page; kept with each of their choices."""
    return _(
        "I am the person named here, and %(district)s may keep what I wrote and mail me about what"
        " I ticked. I can see it, change it and stop it at any time, by a link in every mail.",
        district=district_name(),
    )  # fmt: skip


def young(session: Session, person: Alumnus, *, enrolled: bool, day: date) -> str:
    """What happens until somebody is 18; nothing for those who are."""
    rule = chosen(session, AgeRule)
    adult = adult_on(
        person.birth_date, person.class_year, person.graduated_on, enrolled=enrolled,
        margin_years=rule.margin_years,
    )  # fmt: skip
    if adult is None or not under_age(adult, day):
        return ""
    until = _day(adult)
    if rule.outreach is Outreach.NOTHING:
        return _(
            "You count as under 18 until %(day)s: until then we keep your address, send you no"
            " news, and ask you for nothing.",
            day=until,
        )
    return _(
        "You count as under 18 until %(day)s: until then we send you only what the district lets"
        " go to pupils, and ask you for nothing.",
        day=until,
    )


def _day(day: date) -> str:
    return str(format_date(day, "long"))  # type: ignore[no-untyped-call]


def poster(address: str, school: str) -> tuple[list[dict[str, str]], Markup]:
    """The words of a poster in each language of our pages, and its drawn code."""
    sheets = []
    for language in LANGUAGES:
        with force_locale(language):
            sheets.append(
                {
                    "language": language,
                    "title": _("Seniors: stay in touch"),
                    "text": _("Your school account closes soon after you leave. Give us an"
                              " address of your own: it takes a minute."),
                    "why": _("Reunions, news, and people from %(school)s who help one another.",
                             school=school),
                    "how": _("Point your camera here"),
                }
            )  # fmt: skip
    drawn = make_qr(address, error="m").svg_inline(
        omitsize=True, light="#ffffff", dark="#000000", svgclass="hc-scan", lineclass=None,
        title=address,
    )  # fmt: skip
    return sheets, Markup(drawn)  # noqa: S704 - made of numbers and our own address


def references(_session: Session, keys: Any) -> dict[str, Any]:
    """What an entry of the ledger that came by this door refers to."""
    return {key: Reference(str(REFERENCE)) for key in keys}
