"""Markdown as blocks of a letter: paragraphs of clean HTML, buttons, and the same as plain text.

Raw HTML and images are off: content is text that a person wrote, in every mail program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from crm.mail import fields

TAGS = {
    "p", "br", "strong", "em", "a", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6",
    "blockquote", "hr", "code", "pre",
}  # fmt: skip
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto", "tel"}
PLACEHOLDER = re.compile(r"hcq[0-9]+z")


@dataclass(frozen=True)
class Block:
    """A piece of a letter: HTML, or (when `href` is set) a button with its label."""

    html: str
    href: str = ""


def parser() -> MarkdownIt:
    """CommonMark without raw HTML and images."""
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).disable("image")


def blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text; a link alone in its paragraph becomes a button."""
    reader = parser()
    found: list[Block] = []
    pending: list[Token] = []
    for group in _top_level(reader.parse(text)):
        button = _lone_link(group)
        if button is None:
            pending += group
            continue
        if pending:
            found.append(Block(_clean(reader, pending)))
            pending = []
        found.append(button)
    if pending:
        found.append(Block(_clean(reader, pending)))
    return found


def _clean(reader: MarkdownIt, tokens: Sequence[Token]) -> str:
    html = str(reader.renderer.render(list(tokens), reader.options, {}))
    return nh3.clean(
        html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=None
    ).strip()


def _top_level(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens in groups, one for each block that stands in no other."""
    group: list[Token] = []
    depth = 0
    for token in tokens:
        group.append(token)
        depth += token.nesting
        if depth == 0:
            yield group
            group = []


def _lone_link(group: Sequence[Token]) -> Block | None:
    if len(group) != 3 or group[0].type != "paragraph_open":
        return None
    inner = group[1].children or []
    if len(inner) < 3 or inner[0].type != "link_open" or inner[-1].type != "link_close":
        return None
    if any(token.type == "link_open" for token in inner[1:]):
        return None
    label = "".join(token.content for token in inner if token.type in {"text", "code_inline"})
    href = str(inner[0].attrGet("href") or "")
    safe = nh3.clean(
        f'<a href="{nh3.clean_text(href)}">x</a>', tags={"a"}, attributes=ATTRIBUTES,
        url_schemes=SCHEMES, link_rel=None,
    )  # fmt: skip
    return Block(nh3.clean_text(label).replace("&#32;", " "), href) if "href=" in safe else None


def link_faults(text: str, is_link: Callable[[str], bool]) -> Iterator[str]:
    """Faults of the links in a text with merge fields: only link fields may stand in an address."""
    pieces = fields.parse(text)
    slots = [piece for piece in pieces if isinstance(piece, fields.Slot)]
    numbers = iter(range(len(slots)))
    marked = "".join(p if isinstance(p, str) else f"hcq{next(numbers)}z" for p in pieces)
    for token in parser().parse(marked):
        for child in token.children or []:
            if child.type != "link_open":
                continue
            href = str(child.attrGet("href") or "")
            for match in PLACEHOLDER.finditer(href):
                slot = slots[int(match[0][3:-1])]
                if not is_link(slot.name) or match.start() != 0:
                    yield (
                        f"line {slot.line}, column {slot.column}: “{slot.name}” may not stand in "
                        "the address of a link; only fields that are links may, at its beginning"
                    )


def plain_text(text: str) -> str:
    """A Markdown text as plain text: links as `words (address)`, lists with dashes or numbers."""
    pieces = _plain_blocks(parser().parse(text))
    return "".join(("\n" if close else "\n\n") + block for block, close in pieces).strip()


def _plain_blocks(tokens: Sequence[Token]) -> Iterator[tuple[str, bool]]:
    """Each paragraph, heading, item or rule, and whether it follows the last without a gap."""
    lists: list[int | None] = []
    bullet, tight, first = "", False, True
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            first = first or not lists
            ordered = token.type == "ordered_list_open"
            lists.append(int(token.attrGet("start") or 1) if ordered else None)
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            lists.pop()
        elif token.type == "list_item_open":
            bullet = _bullet(lists)
        elif token.type == "paragraph_open":
            tight = token.hidden
        elif token.type == "inline":
            yield _plain_item(token, bullet, depth=len(lists)), tight and not first
            bullet, tight, first = "", False, not lists
        elif token.type in {"fence", "code_block"}:
            yield token.content.rstrip("\n"), False
        elif token.type == "hr":
            yield "-" * 20, False


def _plain_item(token: Token, bullet: str, *, depth: int) -> str:
    """The lines of one paragraph, the first behind its bullet if it opens a list item."""
    indent = "  " * max(depth - 1, 0)
    lines = _plain_inline(token.children or []).splitlines()
    hanging = " " * len(bullet) if bullet else "  " * bool(depth)
    return "\n".join(
        indent + (bullet if n == 0 and bullet else hanging) + line for n, line in enumerate(lines)
    )


def _bullet(lists: list[int | None]) -> str:
    number = lists[-1]
    if number is None:
        return "- "
    lists[-1] = number + 1
    return f"{number}. "


def _plain_inline(children: Sequence[Token]) -> str:
    parts: list[str] = []
    address, label_from = "", 0
    for child in children:
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type in {"softbreak", "hardbreak"}:
            parts.append("\n")
        elif child.type == "link_open":
            address, label_from = str(child.attrGet("href") or ""), len(parts)
        elif child.type == "link_close":
            label = "".join(parts[label_from:])
            if address.removeprefix("mailto:") != label:
                parts.append(
                    f": {address}" if len(children) and _alone(children) else f" ({address})"
                )
    return "".join(parts)


def _alone(children: Sequence[Token]) -> bool:
    return children[0].type == "link_open" and children[-1].type == "link_close"
