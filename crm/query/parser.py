"""Reads a query: text → nodes, with every fault pointing at its word. No database, no Flask."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken

from crm.query.errors import QueryError
from crm.query.nodes import (
    NAME,
    All,
    Node,
    One,
    Place,
    Range,
    Rows,
    Term,
    all_of,
    any_of,
    depth,
    negated,
    terms,
)

MAX_TEXT = 2_000
MAX_DEPTH = 20
MAX_TERMS = 100

# A term is one token, since a blank ends it: `2010.. Ana` is a range and a name.
GRAMMAR = r"""
start: any_of?
any_of: all_of (OR all_of)*
all_of: item (AND? item)*
?item: (MINUS | NOT) item -> negation
     | LPAR any_of RPAR   -> group
     | ROWS any_of? RPAR  -> rows
     | TERM               -> term
     | WORD               -> word
     | STRING             -> phrase

OR.3: /(or|OR)(?=[\s()"]|$)/
AND.3: /(and|AND)(?=[\s()"]|$)/
NOT.3: /(not|NOT)(?=[\s()"]|$)/
ROWS.3: /(?!(?:and|or|not|AND|OR|NOT)\()[^\W\d]\w*\(/
TERM.2: /[^\W\d][\w.\-]*:(?:"(?:[^"\\]|\\.)*"|[^\s()"])*/s
STRING: /"(?:[^"\\]|\\.)*"/s
WORD: /[^\s()":\-][^\s()":]*/
MINUS: "-"
LPAR: "("
RPAR: ")"
%ignore /\s+/
"""
VALUE = re.compile(
    r'''"(?P<quoted>(?:[^"\\]|\\.)*)"'''
    r"|(?P<dots>\.\.)|(?P<comma>,)"
    r"""|(?P<bare>(?:(?!\.\.)[^",])+)""",
    re.DOTALL,
)
ESCAPE = re.compile(r"\\(.)", re.S)
# What phones and word processors type for our signs; each is one character, so places stay true.
ALIKE = str.maketrans("“”„«»：（），−", '"' * 5 + ":(),-")


# A query is asked again for each page, count and export; nodes never change.
@lru_cache(maxsize=512)
def parse(text: str) -> Node:
    """The query that `text` asks; raises `QueryError`. An empty text asks for everybody."""
    if len(text) > MAX_TEXT:
        raise QueryError(
            "A query has at most %(most)s characters; this one has %(text)s.",
            position=MAX_TEXT, length=len(text) - MAX_TEXT, most=MAX_TEXT, text=len(text)
        )  # fmt: skip
    for position, character in enumerate(text):
        if character == "\x00" or "\ud800" <= character <= "\udfff":
            raise QueryError(
                "There is a character here that cannot be read.", position=position, length=1
            )
    text = text.translate(ALIKE)
    try:
        node: Node = PARSER.parse(text)  # type: ignore[assignment]
    except UnexpectedCharacters as error:
        raise _strange_sign(text, error.pos_in_stream or 0) from error
    except UnexpectedToken as error:
        raise _strange_token(text, error.token) from error
    if depth(node) > MAX_DEPTH:
        raise _fault("Conditions stand at most %(most)s deep.", Place(0, len(text)), most=MAX_DEPTH)
    amount = sum(len(term.values) for term in terms(node))
    if amount > MAX_TERMS:
        raise QueryError(
            "A query has at most %(most)s conditions; this one has %(amount)s.",
            position=0, length=len(text), most=MAX_TERMS, amount=amount
        )  # fmt: skip
    return node


class _Reader(Transformer[Token, Node]):
    """Builds nodes while the parser reduces, so that no recursion follows the reader's brackets."""

    def start(self, items: list[Any]) -> Node:
        return _nodes(items)[0] if items else All()

    def any_of(self, items: list[Any]) -> Node:
        return any_of(_nodes(items))

    def all_of(self, items: list[Any]) -> Node:
        return all_of(_nodes(items))

    def negation(self, items: list[Any]) -> Node:
        return negated(_nodes(items)[0])

    def group(self, items: list[Any]) -> Node:
        node = _nodes(items)[0]
        if depth(node) > MAX_DEPTH:
            raise _fault("Brackets stand at most %(most)s deep.", _place(items[0]), most=MAX_DEPTH)
        return node

    def rows(self, items: list[Any]) -> Node:
        inside = _nodes(items)
        node = inside[0] if inside else All()
        place = _place(items[0])
        if depth(node) > MAX_DEPTH:
            raise _fault("Brackets stand at most %(most)s deep.", place, most=MAX_DEPTH)
        return Rows(items[0][:-1].lower(), node, Place(place.position, place.length - 1))

    def term(self, items: list[Any]) -> Node:
        return _term(items[0])

    def word(self, items: list[Any]) -> Node:
        place = _place(items[0])
        text = items[0].strip(",")
        if not text:
            raise _fault("There is no name here.", place)
        return Term(NAME, (One(text, False, place),), place)

    def phrase(self, items: list[Any]) -> Node:
        place = _place(items[0])
        text = ESCAPE.sub(r"\1", items[0][1:-1])
        if not text.strip():
            raise _fault("There is nothing between the quotation marks.", place)
        return Term(NAME, (One(text, True, place),), place)


PARSER = Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Reader())


def _nodes(items: list[Any]) -> list[Node]:
    return [item for item in items if not isinstance(item, Token)]


def _term(token: Token) -> Term:
    """`field:values` taken apart."""
    place = _place(token)
    name, _, rest = token.partition(":")
    head, dot, tail = name.partition(".")
    start = place.position + len(name) + 1
    if not rest:
        raise _fault(
            "Write a value right after %(called)s: (without a blank between).", place, called=name
        )
    pieces = [
        (match, Place(start + match.start(), match.end() - match.start()))
        for match in VALUE.finditer(rest)
    ]
    groups: list[list[tuple[re.Match[str], Place]]] = [[]]
    for match, where in pieces:
        if match["comma"]:
            groups.append([])
        else:
            groups[-1].append((match, where))
    values = tuple(_value(group, place) for group in groups)
    return Term(head.lower() + dot + tail, values, place)


def _value(group: list[tuple[re.Match[str], Place]], place: Place) -> One | Range:
    """One value or range from its pieces; `place` is the term's, for what is missing."""
    dots = [n for n, (match, _) in enumerate(group) if match["dots"]]
    low, high = (group[: dots[0]], group[dots[0] + 1 :]) if dots else (group, [])
    if not low and not high:
        raise _fault("A value is missing here. Lists are written without blanks: a,b,c.", place)
    if len(low) > 1 or len(high) > 1 or len(dots) > 1:
        odd = group[dots[1]] if len(dots) > 1 else group[1] if len(low) > 1 else group[dots[0] + 2]
        raise _fault("Put a comma between two values, or quotation marks around one.", odd[1])
    if not dots:
        return _one(*low[0])
    end = group[-1][1]
    whole = Place(group[0][1].position, end.position + end.length - group[0][1].position)
    return Range(_one(*low[0]) if low else None, _one(*high[0]) if high else None, whole)


def _one(match: re.Match[str], place: Place) -> One:
    if match["quoted"] is None:
        return One(match["bare"], False, place)
    text = ESCAPE.sub(r"\1", match["quoted"])
    if not text.strip():
        raise _fault("There is nothing between the quotation marks.", place)
    return One(text, True, place)


def _place(token: Token) -> Place:
    start = token.start_pos or 0
    return Place(start, len(token))


def _fault(message: str, place: Place, **values: Any) -> QueryError:
    return QueryError(message, position=place.position, length=place.length, **values)


def _strange_sign(text: str, position: int) -> QueryError:
    """The error for a character that begins nothing."""
    messages = {
        '"': "This quotation mark is never closed.",
        ":": "A colon stands right after the name of a field, such as class:2015.",
    }
    message = messages.get(text[position], "This sign means nothing here.")
    return QueryError(message, position=position, length=1)


def _strange_token(text: str, token: Token) -> QueryError:
    """The error for a word that cannot follow the one before it."""
    if token.type == "$END":
        opened = _last_open(text)
        if opened is not None:
            return QueryError("This bracket is never closed.", position=opened, length=1)
        place = _last_word(text)
        return _fault(
            "Something must follow “%(text)s”.", place, text=text[place.position :].strip()
        )
    messages = {
        "RPAR": "There is nothing to close here.",
        "OR": "“or” stands between two conditions.",
        "AND": "“and” stands between two conditions.",
    }
    return _fault(messages.get(token.type, "This cannot stand here."), _place(token))


def _last_open(text: str) -> int | None:
    """Where the innermost bracket stands that nothing closes."""
    opened = []
    for token in PARSER.lex(text):
        if token.type in ("LPAR", "ROWS"):
            opened.append((token.start_pos or 0) + len(token) - 1)
        elif token.type == "RPAR" and opened:
            opened.pop()
    return opened[-1] if opened else None


def _last_word(text: str) -> Place:
    words = list(re.finditer(r"\S+", text))
    last = words[-1] if words else None
    return Place(last.start(), last.end() - last.start()) if last else Place(0, len(text))
