"""How the many spellings of a school become one comparable key."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

KINDS = ("nces", "code", "name")
MAX_KEY = 200
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_SHORT = {
    "hs": "high school", "h s": "high school", "sch": "school", "shs": "senior high school",
    "ms": "middle school", "es": "elementary school", "elem": "elementary", "sr": "senior",
    "jr": "junior", "acad": "academy", "st": "saint", "mt": "mount",
}  # fmt: skip


@lru_cache(maxsize=4096)
def name_key(text: str) -> str:
    """A school's name without case, accents, signs and the usual abbreviations.

    `B.T. Washington H.S.` and `BT Washington High School` get the same key.
    """
    plain = unicodedata.normalize("NFKD", text.replace("'", "").replace("’", "").replace(".", ""))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    words = [_SHORT.get(word, word) for word in _WORD.findall(plain)]
    return " ".join(words)[:MAX_KEY]


def code_key(text: str) -> str:
    """A local school number: case and leading zeros do not count, since spreadsheets lose them."""
    plain = "".join(_WORD.findall(text)).casefold()
    return (plain.lstrip("0") or plain)[:MAX_KEY]


def nces_key(text: str) -> str | None:
    """The 12 digits of an NCES school id, with zeros that a spreadsheet cut; None if it is none."""
    digits = text.strip().removesuffix(".0")
    if not digits.isascii() or not digits.isdecimal() or not 10 <= len(digits) <= 12:
        return None
    return digits.zfill(12)


def keys_of(text: str) -> list[tuple[str, str]]:
    """The (kind, key) pairs that a text may stand for, surest first."""
    found = []
    if nces := nces_key(text):
        found.append(("nces", nces))
    if code := code_key(text):
        found.append(("code", code))
    if name := name_key(text):
        found.append(("name", name))
    return found
