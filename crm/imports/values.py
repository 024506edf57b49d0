"""Cells of a file turned into values: pure functions, fast because rosters repeat themselves.

Each parser takes the cleaned text of a cell (never blank) and raises `ValueError` with words that
follow the value in a message: "“31/31/2010” is no date".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Generic, TypeVar

from email_validator import EmailNotValidError, validate_email

from crm.alumni.contacts import email_form, phone_form
from crm.core.errors import Invalid

V = TypeVar("V")
MAX_TEXT = 200
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
            "aug august", "sep sept september", "oct october", "nov november", "dec december",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
YES = frozenset(
    ["y", "yes", "true", "t", "1", "x", "on", "block", "blocked", "checked", "deceased"]
)
NO = frozenset(["n", "no", "false", "f", "0", "off", "none", "unchecked"])
LANGUAGES = {
    "english": "en", "spanish": "es", "español": "es", "espanol": "es", "amharic": "am",
    "arabic": "ar", "french": "fr", "haitian creole": "ht", "haitian": "ht", "korean": "ko",
    "burmese": "my", "nepali": "ne", "portuguese": "pt", "somali": "so", "swahili": "sw",
    "vietnamese": "vi", "chinese": "zh", "mandarin": "zh",
    "eng": "en", "spa": "es", "amh": "am", "ara": "ar", "fra": "fr", "fre": "fr", "hat": "ht",
    "kor": "ko", "mya": "my", "bur": "my", "nep": "ne", "por": "pt", "som": "so", "swa": "sw",
    "vie": "vi", "zho": "zh", "chi": "zh",
}  # fmt: skip
_LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}")
_LOCALE = re.compile(r"([a-z]{2,3})_[a-z]{2}")
_PLAIN_DATE = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?")
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SLASH_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{2}|\d{4})(?: .*)?")
_NAMED_DATE = re.compile(r"(\d{1,2})[ -]([A-Za-z]{3,9})\.?,?[ -](\d{2}|\d{4})")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_SCHOOL_YEAR = re.compile(r"(?:class of )?'?(\d{4}|\d{2})(?:\.0)?", re.IGNORECASE)
_YEAR_PAIR = re.compile(r"(\d{4})\s*[-–/]\s*(\d{4}|\d{2})")
_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_US_PHONE = re.compile(r"\+?1?[ .-]?\(?([2-9]\d\d)\)?[ .-]{0,2}([2-9]\d\d)[ .-]?(\d{4})")
_ODD = re.compile(r"[\x00-\x1f\x7f\u200b\u2060\ufeff]")


class Cache(dict[str, V], Generic[V]):
    """Remembers what a parser made of a text: a million lines have few distinct dates."""

    def __init__(self, parse: Callable[[str], V], limit: int = 50_000) -> None:
        super().__init__()
        self.parse = parse
        self.limit = limit

    def __missing__(self, text: str) -> V:
        value = self.parse(text)
        if len(self) >= self.limit:
            self.clear()
        self[text] = value
        return value


def clean(text: str) -> str:
    """One line of text: blanks joined, control and invisible characters gone, composed Unicode."""
    if text.isascii():
        text = text if text.isprintable() else _ODD.sub(" ", text)
        return " ".join(text.split())
    return " ".join(_ODD.sub(" ", unicodedata.normalize("NFC", text)).split())


def parse_date(text: str, *, today: date) -> date:
    """ISO, American (month first), compact, Excel's `5-Jun-04` and `June 5, 2004` dates."""
    day = _read_date(text, today)
    if not date(1900, 1, 1) <= day <= today + timedelta(days=365 * 20):
        raise ValueError("is no likely date")
    return day


def _read_date(text: str, today: date) -> date:
    try:
        if found := _PLAIN_DATE.fullmatch(text) or _COMPACT_DATE.fullmatch(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _SLASH_DATE.fullmatch(text):
            return date(_year(found[3], today), int(found[1]), int(found[2]))
        if found := _NAMED_DATE.fullmatch(text):
            return date(_year(found[3], today), MONTHS[found[2].lower()], int(found[1]))
        if found := _MONTH_FIRST.fullmatch(text):
            return date(int(found[3]), MONTHS[found[1].lower()], int(found[2]))
    except (KeyError, ValueError) as error:
        raise ValueError("is no date (write 2010-06-30 or 6/30/2010)") from error
    raise ValueError("is no date (write 2010-06-30 or 6/30/2010)")


def _year(text: str, today: date) -> int:
    """A year of two digits lies in the hundred years that end this year."""
    year = int(text)
    if len(text) == 4:
        return year
    century = today.year - today.year % 100
    return year + century if year + century <= today.year else year + century - 100


def parse_class_year(text: str, *, today: date) -> int:
    """A class year of four digits, or of two: this century up to today's first-graders."""
    if found := _YEAR_PAIR.fullmatch(text):
        first, last = int(found[1]), found[2]
        year = int(last) if len(last) == 4 else first - first % 100 + int(last)
    elif found := _SCHOOL_YEAR.fullmatch(text):
        year = int(found[1])
        if len(found[1]) == 2:
            latest = today.year + 13
            year += latest - latest % 100
            year -= 100 if year > latest else 0
    else:
        year = school_year_of(parse_date(text, today=today))
    if not 1900 <= year <= today.year + 20:
        raise ValueError("is no likely class year")
    return year


def school_year_of(day: date) -> int:
    """The class a diploma belongs to: one of August to December is of next spring's class."""
    return day.year + 1 if day.month >= 8 else day.year


def parse_flag(text: str) -> bool:
    """Yes or no in the usual spellings."""
    word = text.casefold()
    if word in YES:
        return True
    if word in NO:
        return False
    raise ValueError("is neither yes nor no")


def parse_language(text: str) -> str:
    """A language by name or code, as the code that content variants use."""
    word = text.casefold()
    if word in LANGUAGES:
        return LANGUAGES[word]
    if found := _LOCALE.fullmatch(word):
        return found[1]
    if _LANGUAGE_CODE.fullmatch(word):
        return word
    raise ValueError("is no language we know by that name")


def parse_email(text: str) -> tuple[str, str]:
    """(address, comparable form); plain addresses at a known good domain skip the full check."""
    local, _, domain = text.rpartition("@")
    if len(local) <= 64 and _LOCAL.fullmatch(local) and _good_domain(domain.lower()):
        value = text if text.islower() else f"{local}@{domain.lower()}"
        return value, value.lower()
    try:
        return email_form(text[:400])
    except Invalid as error:
        raise ValueError("is no e-mail address") from error


@lru_cache(maxsize=20_000)
def _good_domain(domain: str) -> bool:
    try:
        validate_email(f"a@{domain}", check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return domain.isascii() and "xn--" not in domain


def parse_phone(text: str) -> tuple[str, str]:
    """(number as shown, E.164); read as American unless it begins with `+`."""
    if found := _US_PHONE.fullmatch(text):
        area, exchange, line = found.groups()
        return f"+1 {area}-{exchange}-{line}", f"+1{area}{exchange}{line}"
    try:
        return phone_form(text[:60])
    except Invalid as error:
        raise ValueError("is no phone number") from error


def parse_moment(text: str) -> datetime:
    """An ISO moment; a plain day is its noon in UTC, the same day in every American zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is no moment (write 2026-03-14 or 2026-03-14T15:30Z)") from error
    if len(text) <= 10:
        return moment.replace(hour=12, tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
