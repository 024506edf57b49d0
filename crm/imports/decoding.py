"""Finds out how a text file is encoded, and refuses what is no text, before anything is read."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crm.core.errors import Refused, fault_at

CHUNK = 1024 * 1024
MAX_LINE = CHUNK
NOT_TEXT = {
    b"PK\x03\x04": "is a zip archive; if it is an Excel workbook, name it .xlsx",
    b"\xd0\xcf\x11\xe0": "is an old Excel file; save it as .xlsx or .csv",
    b"%PDF": "is a PDF; export the list as .csv or .xlsx",
    b"\x1f\x8b": "is a compressed archive; unpack it first",
    b"\xff\xfe\x00\x00": "is UTF-32; save it as UTF-8",
}
PAGE_STARTS = (b"<!doctype", b"<html", b"<?xml")
MIXED = "mixed"
TELLING = (b'"', b"\x1e", b"\x1f")
"""Signs of a file that is not plain."""


@dataclass(frozen=True)
class TextFile:
    """A readable text file: its encoding (a codec, or `mixed`) and about how many lines it has.

    `unended`: the last line has no line end, so that `lines` does not count it.

    `mixed` is UTF-8 in which some lines hold other bytes: those lines come with lone surrogates, so
    that the reader can reject them instead of guessing. `plain` is UTF-8 without a quotation mark
    or a sign that separates, and with the usual line endings: every physical line is a row, every
    sign stands for itself.
    """

    path: Path
    encoding: str
    lines: int
    plain: bool = False
    unended: bool = False

    def open_lines(self) -> Iterator[str]:
        """The physical lines with their endings."""
        codec = "utf-8-sig" if self.encoding == MIXED else self.encoding
        errors = "surrogateescape" if self.escapes else "strict"
        with self.path.open(encoding=codec, errors=errors, newline="") as handle:
            yield from handle

    @property
    def escapes(self) -> bool:
        """Whether lines may hold bytes that could not be decoded."""
        return self.encoding in {MIXED, "cp1252"}


def examine(path: Path, name: str) -> TextFile:
    """How to read the file; raises `Refused` naming the line for what cannot be a table of text."""
    with path.open("rb") as handle:
        start = handle.read(64)
    if not start.strip():
        raise Refused([fault_at(name, "is empty")])
    for magic, advice in NOT_TEXT.items():
        if start.startswith(magic):
            raise Refused([fault_at(name, advice)])
    if start.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(PAGE_STARTS):
        raise Refused([fault_at(name, "is a web page or XML; export the list as .csv or .xlsx")])
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return TextFile(path, "utf-16", _check_utf16(path, name))
    lines, valid, plain = _check_bytes(path, name)
    encoding = "utf-8-sig" if valid else _other_encoding(path)
    return TextFile(path, encoding, lines, valid and plain, _is_unended(path))


def _check_bytes(path: Path, name: str) -> tuple[int, bool, bool]:
    """(line count, whether all is UTF-8, whether it is plain), in one pass with bounded memory."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    lines, valid, plain, split = 0, True, True, False
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            if b"\x00" in chunk:
                line = lines + 1 + chunk[: chunk.index(b"\x00")].count(b"\n")
                fault = "holds a NUL byte, so it is no text; save it as UTF-8 CSV"
                raise Refused([fault_at(f"{name}:{line}", fault)])
            ends = chunk.count(b"\n") or chunk.count(b"\r")
            if not ends and len(chunk) == CHUNK:
                fault = "is a line of more than a million characters"
                raise Refused([fault_at(f"{name}:{lines + 1}", fault)])
            lines += ends
            plain = plain and _is_plain(chunk, after=split)
            split = chunk.endswith(b"\r")
            if valid:
                try:
                    decoder.decode(chunk)
                except UnicodeDecodeError:
                    valid = False
    if valid:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            valid = False
    return lines, valid, plain and not split


def _is_plain(chunk: bytes, *, after: bool) -> bool:
    """Whether no sign needs a reader of CSV; `after`: the last chunk ends in a carriage return."""
    alone = chunk.count(b"\r") - chunk.count(b"\r\n") - chunk.endswith(b"\r")
    told = any(sign in chunk for sign in TELLING)
    return not told and not alone and (not after or chunk.startswith(b"\n"))


def _is_unended(path: Path) -> bool:
    with path.open("rb") as handle:
        handle.seek(-1, 2)
        return handle.read(1) not in b"\r\n"


def _check_utf16(path: Path, name: str) -> int:
    """The line count; refuses what is not UTF-16 throughout."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    lines = 0
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            try:
                text = decoder.decode(chunk, final=len(chunk) < CHUNK)
            except UnicodeDecodeError as error:
                fault = "is not the UTF-16 it begins as"
                raise Refused([fault_at(f"{name}:{lines + 1}", fault)]) from error
            if "\x00" in text:
                line = lines + 1 + text[: text.index("\x00")].count("\n")
                fault = "holds a NUL character, so it is no text"
                raise Refused([fault_at(f"{name}:{line}", fault)])
            ends = text.count("\n") or text.count("\r")
            if not ends and len(chunk) == CHUNK:
                fault = "is a line of more than half a million signs"
                raise Refused([fault_at(f"{name}:{lines + 1}", fault)])
            lines += ends
    return lines


def _other_encoding(path: Path) -> str:
    """Windows-1252, unless some lines hold UTF-8 beyond ASCII: then it is a mixture."""
    with path.open("rb") as handle:
        for raw in iter(lambda: handle.readline(MAX_LINE), b""):
            if raw.isascii():
                continue
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                continue
            return MIXED
    return "cp1252"
