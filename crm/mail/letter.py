"""A content version in one language, compiled once into the skeleton that a whole batch fills in.

Merge fields become tags that stand nowhere else; a recipient's values are put in their place,
escaped for where they stand: HTML, plain text or the subject line.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from flask import current_app
from flask_babel import force_locale, gettext
from mjml import mjml2html

from crm.mail import fields, markdown
from crm.mail.content import Variant
from crm.mail.markdown import Block
from crm.mail.values import is_link, office_values
from crm.web.i18n import text_direction
from crm.web.moments import spoken

KEPT = 256
UNSUBSCRIBE = "unsubscribe_link"


@dataclass(frozen=True)
class Footer:
    """What stands below a letter: the topic that may be left, if any, and whether one may leave."""

    topic: str = ""
    leave: bool = True


@dataclass(frozen=True)
class Letter:
    """A skeleton with tags; `tags` says of each which field it is and whether that is a link."""

    language: str
    subject: str
    html: str
    text: str
    tags: Mapping[str, tuple[fields.Slot, bool]]
    names: frozenset[str] = field(default_factory=frozenset)

    def substitutions(self, values: Mapping[str, str]) -> dict[str, str]:
        """For each tag the text of one recipient, escaped for where the tag stands."""
        return {
            tag: said(values.get(slot.name, ""), slot.default, tag[PURPOSE], link=link)
            for tag, (slot, link) in self.tags.items()
        }

    def filled(self, substitutions: Mapping[str, str]) -> tuple[str, str, str]:
        """Subject, HTML and text with the tags replaced."""
        return (
            fill(self.subject, substitutions),
            fill(self.html, substitutions),
            fill(self.text, substitutions),
        )


TAG = re.compile(r"hc[0-9a-f]{10}[hts][0-9]+z")
PURPOSE = 12
"""Where in a tag its purpose stands: h for HTML, t for plain text, s for the subject."""
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LINE_ENDS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def fill(skeleton: str, substitutions: Mapping[str, str]) -> str:
    """A skeleton with its tags replaced, in one pass, so that no value is read as a tag."""
    return TAG.sub(lambda match: substitutions.get(match[0], match[0]), skeleton)


def said(value: str, default: str, purpose: str, *, link: bool) -> str:
    """What stands for a field: its value or its default, fit for the purpose (h, t or s)."""
    if link and not value.startswith(("https://", "http://")):
        value = ""
    value = value.strip() or default
    if purpose == "s":
        return one_line(value)
    if not value.isprintable():
        value = CONTROLS.sub("", value)
    return html.escape(value) if purpose == "h" else value


def one_line(value: str) -> str:
    """A value that can stand in a header: no line ends, no control characters."""
    if not value.isprintable():
        value = LINE_ENDS.sub(" ", value)
    return " ".join(value.split())


class _Marks:
    """Gives each merge field of one text its tag."""

    def __init__(self, seed: str) -> None:
        self.prefix = "hc" + hashlib.sha256(seed.encode()).hexdigest()[:10]
        self.tags: dict[str, tuple[fields.Slot, bool]] = {}
        self.given: dict[tuple[str, str, str], str] = {}

    def tag(self, slot: fields.Slot, purpose: str) -> str:
        key = (slot.name, slot.default, purpose)
        if key not in self.given:
            tag = f"{self.prefix}{purpose}{len(self.given)}z"
            self.given[key] = tag
            self.tags[tag] = slot, is_link(slot.name)
        return self.given[key]

    def mark(self, text: str, purpose: str) -> str:
        pieces = fields.parse(text)
        return "".join(p if isinstance(p, str) else self.tag(p, purpose) for p in pieces)


def compile_letter(variant: Variant, language: str, footer: Footer) -> Letter:
    """The skeleton of a variant; the footer is worded in its language, else in English."""
    marks = _Marks(f"{language}{variant.subject}{variant.preheader}{variant.body}")
    office = office_values()
    leave = {
        purpose: marks.tag(fields.Slot(UNSUBSCRIBE), purpose) if footer.leave else ""
        for purpose in "ht"
    }
    with force_locale(spoken(language)):
        why = why_you_get_this(footer)
        words = {
            "why": why, "topic": footer.topic, "sender": office["sender_name"],
            "postal_address": office["postal_address"],
            "leave_topic": leave["h"], "leave_all": leave["h"] and leave["h"] + "?all=1",
        }  # fmt: skip
        page = current_app.jinja_env.get_template("crm/mail/letter.mjml.xml").render(
            **words, language=language, direction=text_direction(language),
            title=marks.mark(variant.subject, "h"), preheader=marks.mark(variant.preheader, "h"),
            blocks=_whole(markdown.blocks(marks.mark(variant.body, "h"))),
        )  # fmt: skip
        foot = _plain_footer(words, leave["t"])
    body = markdown.plain_text(marks.mark(variant.body, "t"))
    subject = marks.mark(variant.subject, "s")
    names = frozenset(slot.name for slot, _ in marks.tags.values())
    return Letter(
        language, subject, mjml2html(page, disable_comments=True), f"{body}\n\n-- \n{foot}\n",
        marks.tags, names,
    )  # fmt: skip


def why_you_get_this(footer: Footer) -> str:
    """The sentence that tells a reader how they came to this mail, in the current language."""
    if not footer.leave:
        return gettext("You get this because it was asked for with your address.")
    if footer.topic:
        return gettext(
            "You get this because you went to one of our schools and have not left the topic "
            "“%(topic)s”.",
            topic=footer.topic,
        )
    return gettext("You get this because you went to one of our schools.")


def _plain_footer(words: Mapping[str, str], leave: str) -> str:
    lines = [words["why"]]
    if leave:
        if words["topic"]:
            lines.append(
                gettext("No more mail about “%(topic)s”", topic=words["topic"]) + f": {leave}"
            )
        lines.append(gettext("No more mail from us at all") + f": {leave}?all=1")
    return "\n".join([*lines, "", words["sender"], words["postal_address"]])


def _whole(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, each closed as MJML's parser wants it."""
    return [Block(re.sub(r"<(br|hr)>", r"<\1 />", block.html), block.href) for block in blocks]


class Letters:
    """The letters compiled last, at most `KEPT` of them."""

    def __init__(self) -> None:
        self.kept: OrderedDict[tuple[object, ...], Letter] = OrderedDict()
        self.lock = Lock()

    def letter(self, key: tuple[object, ...], variant: Variant, footer: Footer) -> Letter:
        """The letter for a key (version and language), compiled if it is not at hand."""
        whole_key = (*key, variant, footer, *office_values().values())
        with self.lock:
            if whole_key in self.kept:
                self.kept.move_to_end(whole_key)
                return self.kept[whole_key]
        letter = compile_letter(variant, str(key[-1]), footer)
        with self.lock:
            self.kept[whole_key] = letter
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        return letter


LETTERS = Letters()
