"""What alumni and the public may read: which templates, which modules, and the words in them.

A new page, form or refusal of theirs is taught by its file, never by its sentences.
"""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from babel.messages.extract import extract, extract_from_file
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po
from wtforms.i18n import messages_path

from tests.rules.refused import said_in

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
KEYWORDS = {
    "_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "lazy_ngettext": (1, 2),
    "_n": (1, 2),
}  # fmt: skip
LAYOUTS = ("layouts/public.html", "layouts/code.html")
FOR_STAFF = ("crm/accounts/", "layouts/staff.html")
"""Templates in a layout of the public that lead into a staff account, and the layout of staff."""

APART = ("crm/mail/letter.mjml.xml", "crm/rights/_everything.html")
"""Templates of the public in no layout: the shape of a letter, and the file of one's own data."""

MODULES: dict[str, tuple[str, ...]] = {
    "crm/alumni/contacts.py": ("phone_form", "postal_form"),
    "crm/alumni/profile.py": ("_class_year", "_day", "_flag"),
    "crm/alumni/service.py": ("retire_contact",),
    "crm/consent/pauses.py": (),
    "crm/consent/service.py": ("pause",),
    "crm/consent/topic_pauses.py": ("_is_news",),
    "crm/door/classmates.py": ("end", "to_do"),
    "crm/door/confirming.py": (),
    "crm/door/forms.py": ("SeniorRuleForm",),
    "crm/door/gate.py": (),
    "crm/door/joining.py": (),
    "crm/door/offers.py": (),
    "crm/door/queries.py": (),
    "crm/door/routes.py": (),
    "crm/door/words.py": ("REFERENCE",),
    "crm/events/answer_routes.py": (),
    "crm/events/answers.py": (),
    "crm/events/calendars.py": (),
    "crm/events/cards.py": ("overbooked", "to_do"),
    "crm/events/forms.py": ("DoorForm", "EventForm", "InviteForm", "ZONES", "_days"),
    "crm/events/letters.py": ("FIELDS",),
    "crm/events/page.py": (),
    "crm/events/words.py": ("KINDS", "STATES"),
    "crm/links/letters.py": (),
    "crm/links/pages.py": (),
    "crm/links/service.py": (),
    "crm/links/tokens.py": (),
    "crm/mail/letter.py": (),
    "crm/portal/addresses.py": (),
    "crm/portal/forms.py": (),
    "crm/portal/queries.py": (),
    "crm/portal/routes.py": (),
    "crm/portal/service.py": (),
    "crm/portal/wishes.py": (),
    "crm/rights/erasing.py": (),
    "crm/rights/everything.py": (),
    "crm/rights/forms.py": ("DeclineForm", "EraseForm", "HoldForm", "RuleForm"),
    "crm/rights/own_routes.py": (),
    "crm/rights/wishes.py": ("decline", "hold"),
    "crm/rights/words.py": (),
    "crm/web/errors.py": (),
    "crm/web/forms.py": (),
    "crm/web/i18n.py": (),
    "crm/web/words.py": ("ROLE_LABELS",),
    "segments/asks/answers.py": (),
    "segments/asks/calendars.py": (),
    "segments/asks/confirming.py": (),
    "segments/asks/letters.py": ("ASK_LINK",),
    "segments/asks/openly.py": ("ask_openly",),
    "segments/asks/page.py": (),
    "segments/asks/queries.py": ("load_commitment",),
    "segments/asks/resting.py": (),
    "segments/asks/routes.py": ("attendance", "thanked"),
    "segments/clearance/rules.py": (),
    "segments/mentoring/forms.py": ("CapacityForm", "EndForm", "PairForm", "RulesForm"),
    "segments/mentoring/panel.py": ("MENTOR_LINK", "STATES", "todo"),
    "segments/mentoring/queries.py": ("load_pair",),
    "segments/mentoring/service.py": (
        "_check_mentor", "begin", "end_early", "set_capacity", "settle",
    ),
    "segments/mentoring/word_routes.py": (),
    "segments/requests/letters.py": (),
    "segments/requests/public.py": (),
    "segments/requests/words.py": (
        "NEXT", "REASONS", "STATES", "SUPERVISION", "_OVERDUE", "due_words", "next_step",
    ),
}  # fmt: skip
"""Modules that speak to the public, each with what stands in it and is for staff alone."""

Said = str | tuple[str, ...]


def templates(panels: Collection[str]) -> set[str]:
    """Every template that a page of the public may show; `panels` are those of one's own page."""
    every = [str(path.relative_to(TEMPLATES)) for path in sorted(TEMPLATES.rglob("*.html"))]
    pages = [name for name in every if not name.startswith(FOR_STAFF) and set(LAYOUTS) & used(name)]
    found: set[str] = set()
    waiting = [*pages, *LAYOUTS, *APART, *panels]
    while waiting:
        name = waiting.pop()
        if name not in found and not name.startswith(FOR_STAFF):
            found.add(name)
            waiting += used(name)
    return found


def used(name: str) -> set[str]:
    """The templates that one names in what it extends, includes and imports."""
    tags = re.findall(
        r"\{%-?\s*(?:extends|include|from|import)\s(.*?)%\}", (TEMPLATES / name).read_text()
    )
    return {n for tag in tags for n in re.findall(r'"([\w/.]+\.html)"', tag)}


def words_of_templates(names: Collection[str]) -> Iterator[tuple[Said, str]]:
    """Each word for people in these templates, and where it stands."""
    with (ROOT / "babel.cfg").open() as lines:
        _methods, options = parse_mapping_cfg(lines)
    for name in sorted(names):
        chosen = options.get("templates/**.html", {})
        path = TEMPLATES / name
        for line, words, _c, _x in extract_from_file("jinja2", path, KEYWORDS, options=chosen):
            yield words, f"templates/{name}:{line}"


def words_of_modules() -> Iterator[tuple[Said, str]]:
    """Each word for people in the modules of the public, refusals among them, and which says it."""
    for name, staff in MODULES.items():
        source = without((ROOT / name).read_text(), staff)
        given = io.BytesIO(source.encode())
        for _line, words, _c, _x in extract("python", given, KEYWORDS):
            yield words, name
        for refusal in said_in(source):
            yield refusal, name


def without(source: str, names: Collection[str]) -> str:
    """A module without some of what it defines; every name must be there."""
    tree = ast.parse(source)
    kept, gone = [], set[str]()
    for node in tree.body:
        mine = set(defined(node)) & set(names)
        gone |= mine
        if not mine:
            kept.append(node)
    assert gone == set(names), f"no longer there: {set(names) - gone}"
    tree.body = kept
    return ast.unparse(tree)


def defined(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module makes."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))


def words_of_forms() -> Iterator[tuple[Said, str]]:
    """What the library of forms itself may say of a field."""
    with (Path(messages_path()) / "wtforms.pot").open("rb") as lines:
        for message in read_po(lines):
            if message.id:
                yield message.id if isinstance(message.id, str) else tuple(message.id), "wtforms"
