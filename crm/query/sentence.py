"""A query as a sentence in the reader's language: who is meant, in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from babel.lists import format_list
from flask_babel import format_date, get_locale, gettext, ngettext

from crm.core.errors import Invalid
from crm.core.extend import FieldKind, QueryContext, QueryField
from crm.query.compiled import Compiled
from crm.query.kept import compile_query
from crm.query.meaning import Asked, Meaning
from crm.query.nodes import All, Either, Node, Not, One, Range, Rows, Term
from crm.query.values import AGE, DAY


def sentence(compiled: Compiled) -> str:
    """Whom a compiled query means, as one sentence."""
    if compiled.node == All():
        return gettext("Everybody.")
    node, meaning = compiled.node, compiled.meaning
    if isinstance(node, Either):
        return gettext("People who %(what)s.", what=_inside(node, meaning))
    items = node.items if isinstance(node, All) else (node,)
    wanted = [_clause(item, meaning) for item in items if not isinstance(item, Not)]
    left_out = [item.item for item in items if isinstance(item, Not)]
    others = either(_clause(item, meaning) for item in left_out)
    if len(left_out) == 1:
        others = _inside(left_out[0], meaning)
    if not wanted:
        return gettext("Everybody except those who %(what)s.", what=others)
    if left_out:
        return gettext(
            "People who %(what)s, but not those who %(others)s.",
            what=both(wanted), others=others,
        )  # fmt: skip
    return gettext("People who %(what)s.", what=both(wanted))


def said(text: str, context: QueryContext) -> str:
    """Whom a kept query means, as one sentence; empty if it no longer says anything."""
    try:
        return sentence(compile_query(text, context))
    except Invalid:
        return ""


def both(pieces: Iterable[str]) -> str:
    """`a, b and c` in the reader's language."""
    return str(format_list(list(pieces), style="standard", locale=get_locale() or "en"))


def either(pieces: Iterable[str]) -> str:
    """`a, b or c` in the reader's language."""
    return str(format_list(list(pieces), style="or", locale=get_locale() or "en"))


def _clause(node: Node, meaning: Meaning) -> str:
    """What follows “people who”."""
    if isinstance(node, Term):
        return either(_grouped(meaning.asked[node], meaning))
    if isinstance(node, Rows):
        return _row_clause(node, meaning)
    if isinstance(node, Not):
        return gettext("are not among those who %(what)s", what=_inside(node.item, meaning))
    return f"({_inside(node, meaning)})"


def _inside(node: Node, meaning: Meaning) -> str:
    """A clause without brackets around it."""
    if not isinstance(node, (All, Either)):
        return _clause(node, meaning)
    join = either if isinstance(node, Either) else both
    return join(_clause(item, meaning) for item in node.items)


def _grouped(asked: tuple[Asked, ...], meaning: Meaning) -> Iterable[str]:
    """One phrase for each field that a term asks, with all of its values in it."""
    fields: dict[str, list[Asked]] = {}
    for one in asked:
        fields.setdefault(one.field.key, []).append(one)
    for same in fields.values():
        field, name = same[0].field, _name_words(same[0], meaning)
        value = either(value_words(one, meaning) for one in same)
        yield _phrase(field, value, name)


def _phrase(field: QueryField, value: str, name: str) -> str:
    if field.says:
        return str(field.says) % {"value": value, "name": name}
    label = str(field.label) + (f" {name}" if name else "")
    if field.kind is FieldKind.FLAG:
        return gettext("match “%(label)s”", label=label)
    return gettext("match “%(label)s”: %(value)s", label=label, value=value)


def _name_words(asked: Asked, meaning: Meaning) -> str:
    """What followed the dot of a field, by its label where there is one."""
    label = meaning.label(asked.field.names, asked.match.name) if asked.match.name else ""
    return gettext(label) if label else asked.match.name.replace("_", " ")


def _row_clause(node: Rows, meaning: Meaning) -> str:
    rows, inside = meaning.rows[node]
    if node.item == All():
        return str(rows.says)
    items = node.item.items if isinstance(node.item, All) else (node.item,)
    facts = "; ".join(_fact(item, inside) for item in items)
    return f"{rows.says} ({facts})"


def _fact(node: Node, meaning: Meaning) -> str:
    """What is asked of one row, as labels and values."""
    if isinstance(node, Term):
        asked = meaning.asked[node]
        flags = [str(one.field.label) for one in asked if one.field.kind is FieldKind.FLAG]
        if flags:
            return either(flags)
        label = str(asked[0].field.label)
        return f"{label}: {either(value_words(one, meaning) for one in asked)}"
    if isinstance(node, Not):
        return gettext("not (%(what)s)", what=_fact(node.item, meaning))
    items = node.items if isinstance(node, (All, Either)) else ()
    join = either if isinstance(node, Either) else both
    return f"({join(_fact(item, meaning) for item in items)})"


def value_words(asked: Asked, meaning: Meaning) -> str:
    """The value or range of a term in words."""
    value, kind = asked.value, asked.field.kind
    if kind is FieldKind.FLAG:
        return ""
    if kind is FieldKind.DATE:
        return time_words(value)
    if isinstance(value, One):
        if kind is FieldKind.CHOICE:
            return _choice_words(asked, asked.match.low)
        if kind not in (FieldKind.TEXT, FieldKind.ANY):
            return value.text
        label = meaning.label(asked.field.choices, value.text)
        return gettext(label) if label else f"“{value.text}”"
    low = _end_words(asked, value.low, asked.match.low)
    high = _end_words(asked, value.high, asked.match.high)
    if not low or not high:
        return gettext("%(low)s and up", low=low) if low else gettext("up to %(high)s", high=high)
    return gettext("%(low)s to %(high)s", low=low, high=high)


def _end_words(asked: Asked, end: One | None, key: Any) -> str:
    if end is None:
        return ""
    return _choice_words(asked, key) if asked.field.kind is FieldKind.CHOICE else end.text


def _choice_words(asked: Asked, key: Any) -> str:
    """A choice by its label; the labels of shipped choices are translated."""
    label = str(asked.choices.get(key, key))
    return gettext(label) if label else str(key)


def time_words(value: One | Range) -> str:
    """A time or a range of time in words."""
    if isinstance(value, One):
        if _is_ahead(value):
            return gettext("within the next %(time)s", time=_span(value))
        if AGE.fullmatch(value.text):
            return gettext("within the last %(time)s", time=_span(value))
        return _calendar(value, alone=True)
    low, high = value.low, value.high
    if low and high and _is_age(low) and _is_age(high):
        return gettext("between %(low)s and %(high)s ago", low=_span(low), high=_span(high))
    if low and not high and _is_age(low):
        return gettext("more than %(time)s ago", time=_span(low))
    if high and not low and _is_age(high):
        return gettext("within the last %(time)s", time=_span(high))
    start = _moment_words(low) if low else ""
    end = _moment_words(high) if high else ""
    if not start or not end:
        return gettext("from %(day)s on", day=start) if start else gettext("until %(day)s", day=end)
    return gettext("from %(start)s to %(end)s", start=start, end=end)


def _is_ahead(value: One) -> bool:
    return value.text.startswith("+")


def _is_age(value: One) -> bool:
    return not _is_ahead(value) and AGE.fullmatch(value.text) is not None


def _moment_words(value: One) -> str:
    """One end of a range of time."""
    if _is_ahead(value):
        return gettext("in %(time)s", time=_span(value))
    return gettext("%(time)s ago", time=_span(value)) if _is_age(value) else _calendar(value)


def _span(value: One) -> str:
    """An age in words: 90 days."""
    match = AGE.fullmatch(value.text)
    number, unit = (int(match[2]), match[3].lower()) if match else (0, "d")
    match unit:
        case "d":
            return ngettext("%(num)s day", "%(num)s days", number)
        case "w":
            return ngettext("%(num)s week", "%(num)s weeks", number)
        case "m":
            return ngettext("%(num)s month", "%(num)s months", number)
        case _:
            return ngettext("%(num)s year", "%(num)s years", number)


def _calendar(value: One, *, alone: bool = False) -> str:
    """A day, a month or a year of the calendar; `alone` with the word that leads to it."""
    match = DAY.fullmatch(value.text)
    year, month, day = (int(part) if part else 0 for part in match.groups()) if match else (1, 0, 0)
    moment = date(year, month or 1, day or 1)
    if day:
        words = str(format_date(moment, "long"))  # type: ignore[no-untyped-call]
        return gettext("on %(day)s", day=words) if alone else words
    words = str(year) if not month else str(format_date(moment, "MMMM yyyy"))  # type: ignore[no-untyped-call]
    return gettext("in %(month)s", month=words) if alone else words
