"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [
    path
    for folder in ("crm", "segments", "lifecycle", "demo")
    for path in sorted((ROOT / folder).rglob("*.py"))
] + [ROOT / "wsgi.py"]
STYLES = sorted((ROOT / "static").rglob("*.css")) + sorted((ROOT / "static").rglob("*.js"))
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

FILE, HARD_FILE = 300, 400
FUNCTION, HARD_FUNCTION = 40, 60
LONGER: dict[str, str] = {
    "segments/desk/match.py:_statement": "one statement, which reads better whole",
    "tests/killed/year.py": "one year of one design, from its first tick to its verdict",
    "tests/machines/test_several_machines.py": "one story with its mail server and its machines",
    "segments/asks/service.py:send_wave": "the checks of law 6 stand beside the ask they guard",
}
"""What may go beyond the first limit, and why (`path` or `path:function`)."""


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def test_a_file_can_be_read_in_one_sitting() -> None:
    long = {}
    for path in [*SOURCES, *STYLES, *TEMPLATES, *TESTS]:
        name, lines = str(path.relative_to(ROOT)), len(path.read_text().splitlines())
        if lines > (HARD_FILE if name in LONGER else FILE):
            long[name] = lines
    assert long == {}


def test_a_function_fits_a_screen() -> None:
    long = {}
    for path in SOURCES:
        for function, lines in functions(path):
            name = f"{path.relative_to(ROOT)}:{function}"
            if lines > (HARD_FUNCTION if name in LONGER else FUNCTION):
                long[name] = lines
    assert long == {}


def test_a_module_begins_with_a_sentence() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in SOURCES}
    silent = [
        n for n, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))
    ]
    assert not silent, "\n".join(["", *silent])
