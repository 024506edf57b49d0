"""Start, share and stop the server of one instance folder."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from crm.core.embedded import supervisor
from crm.core.embedded.cluster import DATABASE, SOCKET, answers, make_cluster, start_command, sweep
from crm.core.embedded.host import (
    ADVICE,
    Account,
    EmbeddedServerError,
    account_for,
    programs_for,
    system_folder,
)
from crm.core.embedded.locks import held, open_own, shared, trying

SOCKET_BYTES = 103  # what fits on macOS; Linux has room for 107
PATIENCE = 60.0
LONG_LOG = 10 * 2**20


class EmbeddedServer:
    """A PostgreSQL server for one instance folder, shared by all processes that acquire it.

    With `durable=False`, for tests, a crash of the machine may lose the data; where they cannot
    stand in the instance, they go with the last user.
    """

    def __init__(self, instance: Path, *, durable: bool = True) -> None:
        self._instance = instance.expanduser().resolve()
        self._durable = durable
        self._lock = self._instance / "postgres.lock"
        self._log = self._instance / "postgres.log"
        self._record = self._instance / "postgres.json"
        self._facts: dict[str, str] = {}
        self._mutex = threading.RLock()
        self._use: int | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the database, known once somebody has acquired the server."""
        self._read_record()
        if "socket" not in self._facts:
            raise EmbeddedServerError("The embedded PostgreSQL has no address before acquire().")
        host = quote(self._facts["socket"], safe="")
        return f"postgresql+psycopg://{DATABASE}@/{DATABASE}?host={host}"

    def acquire(self) -> None:
        """Start the server or join the one that runs; it stays until we release it, or die.

        Called again, it brings back a server that died while we used it. Threads may share it.
        """
        with self._mutex:
            if self._use is not None and self._lost():
                self._leave()
            if self._use is None:
                self._enter()
                atexit.register(self.release)

    def _lost(self) -> bool:
        try:
            return self._gone_within(0)
        except FileNotFoundError:
            return True

    def _enter(self) -> None:
        try:
            self._instance.mkdir(parents=True, exist_ok=True)
            with held(self._lock):
                self._settle()
                use = shared(self._home / "users.lock")
                try:
                    self._ensure_running()
                except BaseException:
                    os.close(use)
                    self._part_from_supervisor()
                    raise
        except OSError as error:
            raise self._fault(f"cannot start: {error}") from error
        self._use = use

    def release(self) -> None:
        """Leave the server; the last one out stops it. Harmless when called again."""
        atexit.unregister(self.release)
        with self._mutex:
            self._leave()

    def _leave(self) -> None:
        if self._use is None:
            return
        os.close(self._use)
        self._use = None
        # Where the folder was removed meanwhile, the supervisor stops the server.
        with (
            suppress(FileNotFoundError),
            held(self._lock),
            trying(self._home / "users.lock") as alone,
        ):
            if alone is not None:
                self._stop()
                if self._is_passing():
                    self._part_from_supervisor()
                    self._delete()
        self._part_from_supervisor()

    def _part_from_supervisor(self) -> None:
        """Reap a child that ended; of one that outlives us Popen need not warn."""
        if self._supervisor is not None:
            with suppress(FileNotFoundError):
                if self._gone_within(0):
                    self._supervisor.wait()
            self._supervisor.returncode = 0
            self._supervisor = None

    def remove(self) -> None:
        """Leave the server and delete its data for good; refused while somebody else uses it."""
        self.release()
        self._read_record()
        if not self._record.exists():
            return
        with held(self._lock), trying(self._home / "users.lock") as alone:
            if alone is None:
                raise self._fault("is in use by another process, so its data stay")
            self._stop()
            self._delete()

    def _delete(self) -> None:
        shutil.rmtree(self._home)
        self._record.unlink()

    def _is_passing(self) -> bool:
        """Whether the data are a test's, and stand where nobody would ever clear them away."""
        return not self._durable and Path(self._facts["home"]).is_absolute()

    @property
    def _home(self) -> Path:
        return self._instance / self._facts["home"]

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _account(self) -> Account:
        facts = self._home.stat()
        return Account(facts.st_uid, facts.st_gid)

    def _fault(self, what: str) -> EmbeddedServerError:
        return EmbeddedServerError(f"The embedded PostgreSQL {what}. See {self._log}, or {ADVICE}.")

    def _read_record(self) -> None:
        with suppress(FileNotFoundError):
            self._facts = json.loads(self._record.read_text(encoding="utf-8"))

    def _write_record(self) -> None:
        """Tell other processes, and people who look, where everything is."""
        new = self._record.with_suffix(".new")
        new.unlink(missing_ok=True)
        with open(open_own(new), "w", encoding="utf-8") as file:
            json.dump(self._facts, file, indent=2)
        new.replace(self._record)

    def _settle(self) -> None:
        """Decide, once for all, where the data live: in the instance if the account gets there."""
        self._read_record()
        if "home" in self._facts:
            if self._home.exists():
                return
            if Path(self._facts["home"]).is_absolute() and self._durable:
                lost = f"had its data in {self._home}, which is gone"
                raise self._fault(f"{lost}: put it back, or remove {self._record} to begin anew")
        account = account_for(self._instance)
        self._facts = {"home": "postgres", "token": secrets.token_hex(6)}
        if not account.make_private(self._home):
            with suppress(OSError):
                self._facts["home"] = str(self._outside_home())
            if not account.make_private(self._home):
                raise self._fault(f"finds no folder that user {account.uid} may fill")
        self._write_record()

    def _outside_home(self) -> Path:
        if self._durable:
            return system_folder() / self._facts["token"]
        return Path(tempfile.gettempdir()) / f"{DATABASE}-test-{self._facts['token']}"

    def _ensure_running(self) -> None:
        """Wait until the server answers, starting it first if no process of it lives."""
        launched = False
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with trying(self._home / "server.lock") as server_lock:
                if server_lock is not None:
                    if launched:
                        raise self._fault(f"ended as it started: {self._last_words()}")
                    self._launch(server_lock)
                    launched = True
            if answers(self._data, Path(self._facts.get("socket", "/none"))):
                return
            time.sleep(0.02)
        raise self._fault(f"did not answer for {PATIENCE:.0f} seconds; it may still be recovering")

    def _launch(self, server_lock: int) -> None:
        """Start the server under its supervisor, which inherits the lock."""
        account = self._account
        programs = programs_for(account)
        data, durable = self._data, self._durable
        make_cluster(account, programs, data, durable=durable, server_lock=server_lock)
        folder = self._socket_folder(account)
        sweep(data, folder)
        self._facts |= {"socket": str(folder), "programs": str(programs)}
        self._write_record()
        order = {
            "command": start_command(programs, data, folder, durable=durable),
            "environ": account.environ,
            "identity": account.identity,
            "server_lock": server_lock,
            "socket_folder": str(folder),
            "locks": [str(self._lock), str(self._home / "users.lock")],
        }
        if self._log.exists() and self._log.stat().st_size > LONG_LOG:
            self._log.replace(self._log.with_suffix(".log.old"))
        log = open_own(self._log)
        try:
            os.lseek(log, 0, os.SEEK_END)
            self._supervisor = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-IS", supervisor.__file__, json.dumps(order, ensure_ascii=False)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(server_lock,),
                cwd="/",
                umask=0o077,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def _last_words(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
        return " / ".join(text.splitlines()[-3:])

    def _socket_folder(self, account: Account) -> Path:
        """The same short private folder as last time, so that open pools find the new server.

        Not in XDG_RUNTIME_DIR: that goes at logout, and a server may stay.
        """
        secret = hashlib.sha256(f"{self._home}\0{self._facts['token']}".encode()).hexdigest()
        name = f"{DATABASE}-{account.uid}-{secret[:12]}"
        last = Path(self._facts.get("socket", "/none/none")).parent
        for base in (last, Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - made private
            folder = base / name
            fits = len(os.fsencode(folder / SOCKET)) <= SOCKET_BYTES
            if fits and not set(',"') & set(str(folder)) and account.make_private(folder):
                return folder
        raise self._fault("finds no folder for its socket (is /tmp full or not writable?)")

    def _stop(self) -> None:
        """Stop the server and wait for its last process; the caller holds the locks."""
        if self._gone_within(0):
            return
        pg_ctl = Path(self._facts["programs"], "pg_ctl")
        for mode in ("fast", "immediate"):
            self._account.run(pg_ctl, "stop", "-D", self._data, "-m", mode, "-t", f"{PATIENCE:.0f}")
            if self._gone_within(5):
                shutil.rmtree(self._facts["socket"], ignore_errors=True)
                return
        raise self._fault("does not stop")

    def _gone_within(self, seconds: float) -> bool:
        """Whether all processes of the server end in time."""
        deadline = time.monotonic() + seconds
        while True:
            with trying(self._home / "server.lock") as gone:
                if gone is not None:
                    return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
