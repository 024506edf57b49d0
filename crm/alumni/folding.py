"""Text columns compared without case and accents, the same way in SQL and in Python."""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal_column
from sqlalchemy.orm import InstrumentedAttribute

from crm.core.errors import Invalid

SIGNS = "-/&,.()'’"
BLANKS = " " * len(SIGNS)
MARKS = "[\u0300-\u036f]"


def folded(text: str) -> str:
    """A text as `column_folded` sees it: lower case, Latin accents gone, signs as blanks."""
    letters = unicodedata.normalize("NFKD", text).lower()
    letters = "".join(c for c in letters if not "\u0300" <= c <= "\u036f")
    return letters.translate(str.maketrans(SIGNS, BLANKS))


def lettered(text: str) -> str:
    """The text, if there is anything in it to look for; raises `Invalid`."""
    if not folded(text).strip():
        raise Invalid("A text needs at least one letter or digit.")
    return text


def column_folded(column: InstrumentedAttribute[Any] | ColumnElement[Any]) -> ColumnElement[str]:
    """The column folded; the costly way is only taken by texts that are not plain ASCII."""
    decomposed = func.lower(func.normalize(column, literal_column("nfkd")))
    bare = case(
        (func.octet_length(column) == func.length(column), func.lower(column)),
        else_=func.regexp_replace(decomposed, MARKS, "", "g"),
    )
    return func.translate(bare, SIGNS, BLANKS)


def has_words(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    """Whether the text stands in the column at the beginning of a word."""
    wanted = " ".join(folded(text).split())
    return (func.concat(" ", column_folded(column))).contains(f" {wanted}", autoescape=True)


def begins(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    """Whether the column begins with the text."""
    return column_folded(column).startswith(folded(text).strip(), autoescape=True)


def equals(column: InstrumentedAttribute[Any], text: str) -> ColumnElement[bool]:
    """Whether the column is the text."""
    return column_folded(column) == folded(text).strip()
