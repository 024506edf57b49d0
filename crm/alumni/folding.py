"""Text columns compared without case and accents, the same way in SQL and in Python."""

from __future__ import annotations

import unicodedata
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, func
from sqlalchemy.dialects.postgresql import TSQUERY, TSVECTOR
from sqlalchemy.orm import InstrumentedAttribute

from crm.core.errors import Invalid

SIGNS = "-/&,.()'’"
BLANKS = " " * len(SIGNS)
LONGEST = 100
Condition = ColumnElement[bool]


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
    """The column folded, by a function of the database (see `migrations/`)."""
    return func.text_folded(column, type_=Text)


def has_words(column: InstrumentedAttribute[Any] | ColumnElement[Any], text: str) -> Condition:
    """Whether the text stands in the column at the beginning of a word."""
    wanted = " ".join(folded(text).split())
    return (func.concat(" ", column_folded(column))).contains(f" {wanted}", autoescape=True)


def indexed_words(column: InstrumentedAttribute[Any], text: str) -> Condition:
    """`has_words` for a column of the index on words, which finds who has each of them."""
    wanted = folded(text).split()
    each = [f"'{word[:LONGEST]}'".replace("\\", "\\\\") for word in wanted]
    query = cast(" & ".join(each) + ":*", TSQUERY)
    found = func.text_words(column, type_=TSVECTOR).bool_op("@@")(query)
    if len(wanted) == 1 and len(wanted[0]) <= LONGEST:
        return found
    # How rare these words are together is known; that they are in order is not taken for rarer.
    return and_(found, func.coalesce(has_words(column, text), False))


def begins(column: InstrumentedAttribute[Any], text: str) -> Condition:
    """Whether the column begins with the text."""
    return column_folded(column).startswith(folded(text).strip(), autoescape=True)


def equals(column: InstrumentedAttribute[Any], text: str) -> Condition:
    """Whether the column is the text."""
    return column_folded(column) == folded(text).strip()
