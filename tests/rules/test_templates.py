"""Templates: each page stands on a layout, has a title, brings no script or style of its own."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2] / "templates"
ALL = sorted(ROOT.rglob("*.html"))
LETTERS = [path for path in ALL if {"letters", "email", "mjml"} & set(path.relative_to(ROOT).parts)]
PIECES = [
    path
    for path in ALL
    if path.name.startswith("_") or path.relative_to(ROOT).parts[0] in {"layouts", "components"}
]
PAGES = [path for path in ALL if path not in PIECES and path not in LETTERS]

LAYOUT = r"\s*(\{#.*?#\}\s*)*\{%-? extends \"layouts/(staff|public|code)\.html\""
FORBIDDEN = {
    r"\sstyle=": "inline style",
    r"<style": "style element",
    r"<script(?![^>]*\bsrc=)": "inline script",
    r"\son[a-z]+=[\"']": "inline handler",
    r"(?:src|action)=[\"']https?://": "another host",
    r"<link[^>]*href=[\"']https?://": "another host",
    r"\|\s*safe\b": "unescaped text",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_a_page_stands_on_a_layout_and_has_a_title() -> None:
    faults = []
    for path in PAGES:
        text = path.read_text()
        if not re.match(LAYOUT, text, re.S):
            faults.append(f"{name(path)} stands on no layout")
        title = re.search(r"\{% block title %\}(.*?)\{% endblock", text, re.S)
        if title is None or not title.group(1).strip():
            faults.append(f"{name(path)} has no title")
    assert not faults, "\n".join(["", *faults])


def test_a_template_brings_nothing_inline_and_nothing_from_outside() -> None:
    faults = []
    for path in ALL:
        if path not in LETTERS:
            text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S)
            faults += [
                f"{name(path)}: {w}" for p, w in FORBIDDEN.items() if re.search(p, text, re.I)
            ]
    assert not faults, "\n".join(["", *faults])
