"""What every page of ours must be: one parser's strict reading and a list of faults in words."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import html5lib
from bs4 import BeautifulSoup, Tag

UNTYPED = {"hidden", "submit", "button", "reset", "image"}


def faults_of(html: str) -> list[str]:
    """Everything wrong with a page; nothing for a good one."""
    page = BeautifulSoup(html, "html.parser")
    checks = (
        _structure, _identifiers, _references, _labels, _names, _forms, _inline, _outside,
    )  # fmt: skip
    return [*_parse(html), *(fault for check in checks for fault in check(page))]


def faults_of_piece(html: str) -> list[str]:
    """What is wrong with a fragment, which stands in a page already open."""
    piece = BeautifulSoup(html, "html.parser")
    checks = (_identifiers, _labels, _names, _forms, _inline, _outside)
    return [fault for check in checks for fault in check(piece)]


def _parse(html: str) -> list[str]:
    parser = html5lib.HTMLParser(strict=False)
    parser.parse(html)
    return [
        f"not valid HTML5 at {place}: {code} {values}" for place, code, values in parser.errors[:5]
    ]


def _structure(page: BeautifulSoup) -> list[str]:
    faults = []
    root = page.html
    if root is None or not root.get("lang") or root.get("dir") not in {"ltr", "rtl"}:
        faults.append("html has no lang or dir")
    title = page.title.get_text().strip() if page.title else ""
    if not title or title.startswith("·"):
        faults.append(f"no title: {title!r}")
    headings = page.find_all("h1")
    if len(headings) != 1 or not headings[0].get_text().strip():
        faults.append(f"{len(headings)} h1 instead of one")
    if len(page.find_all("main")) != 1:
        faults.append("not exactly one main")
    return faults


def _identifiers(page: BeautifulSoup) -> list[str]:
    ids = [str(tag["id"]) for tag in page.find_all(id=True)]
    return [f"id used twice: {name}" for name in sorted({i for i in ids if ids.count(i) > 1})]


def _references(page: BeautifulSoup) -> list[str]:
    ids = {str(tag["id"]) for tag in page.find_all(id=True)}
    faults = []
    for attribute in ("for", "aria-describedby", "aria-labelledby", "aria-controls", "list"):
        for tag in page.find_all(attrs={attribute: True}):
            value = tag[attribute]
            names = value if isinstance(value, list) else str(value).split()
            faults += [f"{attribute} names no element: {n}" for n in names if n not in ids]
    return faults


def _labels(page: BeautifulSoup) -> list[str]:
    labelled = {label.get("for") for label in page.find_all("label")}
    faults = []
    for tag in page.find_all(["input", "select", "textarea"]):
        if tag.get("type") in UNTYPED or tag.get("aria-label") or tag.get("aria-labelledby"):
            continue
        if tag.get("id") not in labelled and tag.find_parent("label") is None:
            faults.append(f"field without a label: {tag.get('name')}")
    return faults


def _words(tag: Tag) -> str:
    images = " ".join(str(image.get("alt", "")) for image in tag.find_all("img"))
    return f"{tag.get_text()} {images} {tag.get('aria-label', '')}".strip()


def _names(page: BeautifulSoup) -> list[str]:
    faults = [
        f"image without alt: {i.get('src')}" for i in page.find_all("img") if "alt" not in i.attrs
    ]
    faults += [
        f"{t.name} without words: {t}" for t in page.find_all(["a", "button"]) if not _words(t)
    ]
    faults += [f"frame without title: {f}" for f in page.find_all("iframe") if not f.get("title")]
    faults += [
        f"table header without scope: {th.get_text().strip()!r}"
        for th in page.find_all("th")
        if th.get("scope") is None
    ]
    return faults


def _forms(page: BeautifulSoup) -> list[str]:
    faults = []
    for form in page.find_all("form"):
        token = form.find("input", attrs={"name": re.compile(r"csrf_token$")})
        if form.get("method", "get").lower() == "post" and token is None:
            faults.append(f"posted form without its token: {form.get('action')}")
        if form.get("method", "get").lower() == "get" and token is not None:
            faults.append(f"token in the address of a GET form: {form.get('action')}")
    return faults


def _inline(page: BeautifulSoup) -> list[str]:
    faults = [f"inline style on {tag.name}" for tag in page.find_all(style=True)]
    faults += ["a style element"] * len(page.find_all("style"))
    faults += [f"inline script: {s}" for s in page.find_all("script") if not s.get("src")]
    for tag in page.find_all(True):
        faults += [f"inline {name} on {tag.name}" for name in tag.attrs if name.startswith("on")]
    return faults


def _outside(page: BeautifulSoup) -> list[str]:
    faults = []
    for tag in page.find_all(["script", "link", "img", "iframe", "use", "form", "source"]):
        for attribute in ("src", "href", "action"):
            parts = urlsplit(str(tag.get(attribute, "")))
            if parts.netloc and parts.netloc != "localhost":
                faults.append(f"{tag.name} from another host: {tag[attribute]}")
    return faults
