"""CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

# What a spreadsheet takes for the beginning of a formula, once what it skips is gone.
FORMULA = frozenset("=+-@|%−")
SKIPPED = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Co", "Cn"})
# Where a spreadsheet of another country may begin a new cell inside ours.
INNER = re.compile(r"([;\t])(\s*)(?=[=+\-@|%＝＋－＠﹢﹣−])")


def safe_cell(value: Any) -> str:
    """A value as text that no spreadsheet runs: what looks like a formula gets an apostrophe.

    Blanks, quotation marks, control and invisible characters before it, and the full-width and
    small forms of its first sign, do not hide a formula (OWASP, CSV injection; CVE-2026-55154).
    """
    text = "" if value is None else str(value)
    if not text or (text.isascii() and text.isalnum()):
        return text
    rest = text[0] + INNER.sub(r"\1\2'", text[1:])
    for sign in text:
        if sign in "'\"`" or unicodedata.category(sign) in SKIPPED:
            continue
        shown = unicodedata.normalize("NFKC", sign).strip()
        return "'" + rest if shown[:1] in FORMULA else rest
    return text


def lines(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as CSV text."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([[safe_cell(cell) for cell in row] for row in rows])
    return buffer.getvalue()
