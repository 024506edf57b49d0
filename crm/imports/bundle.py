"""A OneRoster export as it comes: a folder or a zip with `users.csv` and `orgs.csv`.

Only these two files are looked at, whatever else lies there. What a zip would unpack to is counted
before anything is unpacked, and again while it is: a zip may lie about itself.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from crm.core.errors import Refused, fault_at
from crm.imports.orgs import org_names
from crm.imports.reader import open_table

USERS, ORGS = "users.csv", "orgs.csv"
MAX_PARTS = 200
MAX_UNPACKED = 1024 * 1024 * 1024
MAX_RATIO = 200
SMALL = 16 * 1024 * 1024
CHUNK = 1024 * 1024
ENCRYPTED = 0x1


@dataclass(frozen=True)
class Part:
    """A file to read, the name to show for it, and what its schools are called elsewhere in it."""

    path: Path
    name: str
    orgs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def is_bundle(path: Path, name: str | None = None) -> bool:
    """Whether a path is a folder or a zip, by its name."""
    return path.is_dir() or Path(name or path.name).suffix.lower() == ".zip"


@contextmanager
def opened(path: Path, wanted: str = USERS) -> Iterator[Part]:
    """The part of a bundle that is wanted, or the file itself if it is none, while it is read.

    Raises `Refused` for a bundle without it, and for one that would unpack to too much.
    """
    if not is_bundle(path):
        yield Part(path, path.name)
    elif path.is_dir():
        yield _with_orgs(_in_folder(path, wanted), _in_folder(path, ORGS, needed=False), path.name)
    else:
        with tempfile.TemporaryDirectory(prefix="homecoming-") as folder:
            yield unpack(path, path.name, Path(folder) / "part.csv", wanted)


def unpack(path: Path, name: str, to: Path, wanted: str = USERS) -> Part:
    """Unpack one part of a zip to a file of ours; the names inside are never used as paths."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _checked(archive, path, name)
            if wanted not in parts:
                raise Refused(
                    [fault_at(name, "holds no %(file)s; a OneRoster export has it", file=wanted)]
                )
            _extract(archive, parts[wanted], to, name)
            if wanted == ORGS or ORGS not in parts:
                return Part(to, f"{name}/{wanted}")
            orgs = to.with_suffix(".orgs.csv")
            try:
                _extract(archive, parts[ORGS], orgs, name)
                return _with_orgs(to, orgs, name)
            finally:
                orgs.unlink(missing_ok=True)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError,
            zipfile.LargeZipFile) as error:  # fmt: skip
        raise Refused([fault_at(name, "is no zip archive that we can open")]) from error


def _checked(archive: zipfile.ZipFile, path: Path, name: str) -> dict[str, zipfile.ZipInfo]:
    """The parts by their bare names; refuses what unpacks to far more than its size allows."""
    infos = archive.infolist()
    unpacked, packed = sum(info.file_size for info in infos), max(1, path.stat().st_size)
    if len(infos) > MAX_PARTS:
        fault = "holds %(count)s files; at most %(most)s are looked at"
        raise Refused([fault_at(name, fault, count=f"{len(infos):,}", most=MAX_PARTS)])
    if unpacked > MAX_UNPACKED or (unpacked > SMALL and unpacked / packed > MAX_RATIO):
        fault = "would unpack to %(size)s MB, which is more than we open"
        raise Refused([fault_at(name, fault, size=f"{unpacked // CHUNK:,}")])
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        bare = PurePosixPath(info.filename.replace("\\", "/")).name.lower()
        if bare not in (USERS, ORGS) or info.is_dir():
            continue
        if bare in found:
            raise Refused([fault_at(name, "holds two files called %(file)s", file=bare)])
        if info.flag_bits & ENCRYPTED:
            fault = "%(file)s is locked with a password; unpack it first"
            raise Refused([fault_at(name, fault, file=bare)])
        found[bare] = info
    return found


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, to: Path, name: str) -> None:
    """Write a part, and stop as soon as it is larger than it says."""
    left = info.file_size
    with archive.open(info) as source, to.open("xb") as target:
        to.chmod(0o600)
        while chunk := source.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise Refused([fault_at(name, "is larger inside than it says")])
            target.write(chunk)


def _in_folder(folder: Path, wanted: str, *, needed: bool = True) -> Path | None:
    found = next((p for p in folder.iterdir() if p.name.lower() == wanted and p.is_file()), None)
    if found is None and needed:
        fault = "holds no %(file)s; a OneRoster export has it"
        raise Refused([fault_at(folder.name, fault, file=wanted)])
    return found


def _with_orgs(users: Path | None, orgs: Path | None, name: str) -> Part:
    if users is None:
        raise Refused([fault_at(name, "holds no %(file)s; a OneRoster export has it", file=USERS)])
    names = org_names(open_table(orgs, f"{name}/{ORGS}")) if orgs else {}
    return Part(users, f"{name}/{users.name if users.name.lower() == USERS else USERS}", names)
