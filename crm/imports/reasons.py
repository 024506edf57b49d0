"""What is said of single lines, in the reader's language.

Reasons are made by the hundred thousand, partly in SQL, and kept as English text. Whoever reads
them gets the sentence of `SENTENCES` that a text was made of, with what stands in it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from flask_babel import get_locale

from crm.core.errors import Fault, in_words
from crm.imports.models import ImportRun

SENTENCES = (
    # A line as a whole.
    "cannot be read as columns: %(detail)s",
    "has %(count)s columns where the first line names %(named)s",
    "has %(count)s columns where the layout has %(named)s",
    "begins with “%(tag)s” where %(wanted)s is expected",
    (
        "“%(title)s” holds bytes that are not in the encoding of the rest of the file; "
        "save the file as UTF-8"
    ),
    "“%(title)s” holds %(count)s characters; at most %(most)s are read",
    "“%(title)s” is too long for an id",
    "“%(title)s” %(text)s is an id that a spreadsheet turned into a number; export it as text",
    "has no name",
    "is a %(role)s, not a student",
    "has not been enrolled yet (%(title)s %(text)s)",
    "%(title)s is “%(text)s”",
    (
        "nothing tells this person from another of the same name; add an id, an e-mail, a phone, "
        "a birth date, a school or a class year"
    ),
    "“%(name)s” names two people; give each of them a line of their own",
    "is about the same person as line %(line)s and was read with it",
    "is the same as line %(line)s",
    "its ids belong to two people, %(one)s and %(other)s",
    "shares its facts with line %(line)s but not the birth date",
    "fits several people: %(one)s and %(other)s",
    "may be %(one)s, but the files do not agree; add an id or a birth date",
    "line %(line)s",
    # A value that cannot be read, and what is left out.
    "%(title)s “%(text)s” %(fault)s; left out",
    "%(title)s holds what looks like a social security number; left out",
    "%(title)s holds several addresses; %(left)s was left out",
    "%(title)s lies in the future; left out",
    "%(title)s “%(text)s” was read as yes",
    "%(title)s “%(text)s” is not known",
    "%(title)s “%(text)s” has no meaning in the mapping",
    "“%(name)s” was read as a college; its year is no class of ours",
    "no school is called “%(text)s”; the school stays unknown",
    "sits in %(fake)s, which is no school; the school stays unknown",
    "is no likely date",
    "is no date (write 2010-06-30 or 6/30/2010)",
    "is no likely class year",
    "is neither yes nor no",
    "is no language we know by that name",
    "is no e-mail address",
    "is no phone number",
    "is no address",
    "is no moment (write 2026-03-14 or 2026-03-14T15:30Z)",
    # Files of schools, interactions and asks.
    "the school has no name",
    "the name is longer than 200 characters",
    "“%(text)s” is no NCES id: it has 12 digits (LEAID + SCHNO)",
    "“%(text)s” is no status we know (%(known)s)",
    "%(column)s is blank",
    "%(column)s is too long",
    "%(column)s %(text)s lies in the future or before 1900",
    "%(column)s “%(text)s” is no word of letters, digits and _",
    "%(column)s “%(text)s” is none of %(known)s",
    "school_id: no school is called “%(text)s”",
    "%(column)s has more than %(most)s characters",
    "%(column)s “%(text)s” is no number",
    "%(column)s %(text)s is below 0 or not below %(most)s",
    "answered_at lies before asked_at",
    "answered_at is given, but answer is none",
)  # fmt: skip
_VALUE = re.compile(r"%\((\w+)\)s")
_TOGETHER = "; "
NESTED = frozenset({"fault", "one", "other"})
"""Values that are sentences themselves."""
WITHIN = {"fault": "[^;]", "text": "[^“”]", "title": "[^“”]"}
"""The signs of values that end before a sign of their sentence does, so that it is not lost."""


def _pattern(sentence: str) -> re.Pattern[str]:
    pieces = _VALUE.split(sentence)
    texts = [
        f"(?P<{p}>{WITHIN.get(p, '.')}+?)" if n % 2 else re.escape(p) for n, p in enumerate(pieces)
    ]
    return re.compile("".join(texts), re.S)


PATTERNS = tuple((sentence, _pattern(sentence)) for sentence in SENTENCES)


def sentence_of(text: str) -> tuple[str, dict[str, str]] | None:
    """The sentence that a text was made of and what stands in it, or None."""
    for sentence, pattern in PATTERNS:
        if found := pattern.fullmatch(text):
            return sentence, found.groupdict()
    return None


def in_reader_words(text: str | None) -> str:
    """A reason, or several with semicolons between them, in the reader's language."""
    if not text or str(get_locale() or "en") == "en":
        return text or ""
    return _told(text, str(get_locale()))


@lru_cache(maxsize=4096)
def _told(text: str, _language: str) -> str:
    known = sentence_of(text)
    if known is not None:
        sentence, values = known
        for name in NESTED & values.keys():
            values[name] = in_reader_words(values[name])
        return in_words(sentence, **values)
    place = text.rfind(_TOGETHER)
    while place > 0:
        if sentence_of(text[:place]) is not None:
            rest = in_reader_words(text[place + len(_TOGETHER) :])
            return in_reader_words(text[:place]) + _TOGETHER + rest
        place = text.rfind(_TOGETHER, 0, place)
    return in_words(text)


def line_fault(place: str, reason: str) -> Fault:
    """A reason with the place that it is about, to be said in any language."""
    return Fault(place, *(sentence_of(reason) or (reason,)))


def faults_of(run: ImportRun) -> list[str]:
    """Why a file was refused, in the reader's language, a fault a line."""
    kept = [Fault(**one) for one in run.mapping.get("faults", ())]
    return [str(one) for one in kept] or [in_words(line) for line in (run.error or "").splitlines()]
