"""What may come next while somebody types a query: fields, then what their values can be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext
from rapidfuzz import fuzz, process, utils

from crm.core.extend import (
    FieldKind,
    QueryContext,
    QueryField,
    extensions,
)
from crm.query.compiler import FLAG_WORDS, LACKS, registry
from crm.query.nodes import One, Range
from crm.query.parser import ALIKE, MAX_TEXT
from crm.query.rows import total_fields
from crm.query.sentence import time_words
from crm.query.values import plain

MOST = 12
OPENING = re.compile(r"-?([^\W\d]\w*)$")
DATES = ("30d", "90d", "1y", "1y..")
AHEAD = ("+30d", "+90d")
PLAIN = re.compile(r"""[^\s()",]+""")


@dataclass(frozen=True)
class Option:
    """One way to go on: what is written, and what it means."""

    text: str
    label: str


@dataclass(frozen=True)
class Completion:
    """Options that may replace the characters from `start` to `end`."""

    start: int
    end: int
    options: tuple[Option, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where the caret stands: in the word that begins at `start`, inside the rows named."""

    start: int
    word: str
    rows: str


def complete(text: str, caret: int, context: QueryContext) -> Completion:
    """What may stand where the caret (a character) stands; never raises for what was typed."""
    text = text[:MAX_TEXT].translate(ALIKE)
    caret = max(0, min(caret, len(text)))
    place = _place(text[:caret])
    rows = extensions().query_rows.get(place.rows)
    fields = extensions().query_fields if rows is None else [*rows.fields, *total_fields(rows)]
    known = registry(fields)
    head, colon, value = place.word.partition(":")
    end = caret + len(re.match(r'[^\s()",:]*', text[caret:])[0])  # type: ignore[index]
    if not colon:
        found = _names(head, known, fields, context, rows=rows is None)
        return Completion(place.start, end, tuple(found)[:MOST])
    quote, wanted = _open_value(value)
    start = caret - len(wanted) - len(quote)
    if quote and text[end : end + 1] == '"':
        end += 1
    return Completion(start, end, tuple(_values(head.lower(), wanted, known, context))[:MOST])


def _open_value(value: str) -> tuple[str, str]:
    """The last value of a list or range, and the quotation mark that opens it, if it does."""
    if value.count('"') % 2:
        return '"', value.rpartition('"')[2]
    return "", re.split(r",|\.\.", value)[-1]


def _place(before: str) -> _Place:
    """The word that the caret ends, and the innermost rows around it."""
    start, quoted, stack = 0, False, []
    for index, letter in enumerate(before):
        if letter == '"' and before[index - 1 : index] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif letter == "(":
            name = OPENING.search(before[start:index])
            stack.append(name[1].lower() if name else "")
            start = index + 1
        elif letter == ")" or letter.isspace():
            if letter == ")" and stack:
                stack.pop()
            start = index + 1
    word = before[start:]
    minus = len(word) - len(word.lstrip("-"))
    return _Place(start + minus, word[minus:], next((n for n in reversed(stack) if n), ""))


def _names(
    word: str,
    known: Mapping[str, QueryField],
    fields: Iterable[QueryField],
    context: QueryContext,
    *,
    rows: bool,
) -> Iterator[Option]:
    """Fields, flags and rows whose name or label begins so; behind a dot its names."""
    head, dot, rest = word.partition(".")
    field = known.get(f"{head.lower()}.") if dot else None
    if field is not None and field.names:
        offered = field.names(context.session)
        for key, label in _alike(rest, offered):
            yield Option(f"{head.lower()}.{key}:", label)
        return
    offered = {f.key: str(f.label) for f in fields}
    texts = {key: key if ":" in key or key.endswith(".") else f"{key}:" for key in offered}
    if rows:
        for key, one in extensions().query_rows.items():
            offered[f"{key}("] = str(one.label)
            texts[f"{key}("] = f"{key}("
    for key, label in _alike(word, offered):
        yield Option(texts[key], label)


def _values(
    head: str, wanted: str, known: Mapping[str, QueryField], context: QueryContext
) -> Iterator[Option]:
    """Values that a field knows, or dates as they may be written."""
    if head in (*FLAG_WORDS, LACKS):
        prefix = "has:" if head == LACKS else f"{head}:"
        flags = {
            f.key.removeprefix(prefix): str(f.label)
            for f in known.values()
            if f.kind is FieldKind.FLAG and f.key.startswith(prefix)
        }
        yield from (Option(key, label) for key, label in _alike(wanted, flags))
        return
    name, dot, _rest = head.partition(".")
    field = known.get(f"{name}." if dot else name)
    if field is None:
        return
    if field.kind is FieldKind.DATE:
        samples = [*DATES, *(AHEAD if field.ahead else ()), str(context.at.year)]
        yield from (Option(t, _when(t)) for t in samples if t.startswith(wanted))
    elif field.choices is not None and not dot:
        for key, label in _alike(wanted, field.choices(context.session)):
            yield Option(key if PLAIN.fullmatch(key) else f'"{key}"', label)


def _when(text: str) -> str:
    if text.endswith(".."):
        return time_words(Range(One(text[:-2]), None))
    return time_words(One(text))


def _alike(word: str, offered: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Those whose key begins so, then whose label has it at the beginning of a word, then the
    nearest of a longer word.
    """
    wanted = plain(word)
    labels = {key: gettext(str(label)) if str(label) else key for key, label in offered.items()}
    first = [key for key in labels if plain(key).startswith(wanted)]
    second = [
        key
        for key, label in labels.items()
        if key not in first and wanted and f" {wanted}" in f" {plain(label)}"
    ]
    found = first + second
    if not found and len(wanted) > 3:
        close = process.extract(
            wanted, list(labels), scorer=fuzz.ratio, processor=utils.default_process,
            score_cutoff=65, limit=4,
        )  # fmt: skip
        found = [key for key, _score, _index in close]
    for key in found:
        yield key, labels[key]
