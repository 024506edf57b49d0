"""Set Homecoming up and run it: the one file that needs nothing but Python and pip.

`python3 dev.py demo` builds a demo district and serves it; `python3 dev.py test` runs every check;
`python3 dev.py lock` renews the hashed requirement files; any other words go to the `homecoming`
command (`python3 dev.py people find 'class:2019'`). Everything lands in `.venv` beside this file, and
nothing outside it is touched: an environment the caller has activated is left alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOWEST = (3, 11)
CHECKS = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("imports", ["lint-imports"]),
)


def environment() -> Path:
    """The folder of our own virtual environment, one for each Python that runs this file."""
    name = ".venv" if not os.environ.get("HOMECOMING_VENV") else os.environ["HOMECOMING_VENV"]
    return HERE / name


def executable(name: str) -> Path:
    folder = environment() / ("Scripts" if os.name == "nt" else "bin")
    return folder / (name + ".exe" if os.name == "nt" else name)


def clean_environ() -> dict[str, str]:
    """The caller's environment without the virtual environment they may be standing in."""
    environ = {
        k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    }
    environ["PATH"] = os.pathsep.join([str(executable("python").parent), environ.get("PATH", "")])
    environ["VIRTUAL_ENV"] = str(environment())
    # One OpenMP thread: on few cores the default spins and makes model fits 15 times slower.
    environ.setdefault("OMP_NUM_THREADS", "1")
    return environ


def wanted(lock: Path) -> str:
    """A fingerprint of what must be installed: the lock, this Python and where the project stands."""
    parts = [
        lock.read_bytes(),
        (HERE / "pyproject.toml").read_bytes(),
        sys.version.encode(),
        str(HERE).encode(),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def install(lock_name: str) -> None:
    lock = HERE / "requirements" / lock_name
    marker = environment() / f".installed-{lock_name}.json"
    if marker.exists() and json.loads(marker.read_text())["wanted"] == wanted(lock):
        return
    if not usable():
        shutil.rmtree(environment(), ignore_errors=True)
        print(
            f"Making {environment().name} with Python {sys.version.split()[0]} …", file=sys.stderr
        )
        venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(environment())
    print("Installing the pinned packages (about a minute the first time) …", file=sys.stderr)
    pip("install", "--require-hashes", "-r", str(lock))
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(HERE))
    marker.write_text(json.dumps({"wanted": wanted(lock)}))


def usable() -> bool:
    """Whether our environment exists, runs, and is of the Python that runs this file."""
    if not executable("python").exists():
        return False
    asked = [str(executable("python")), "-c", "import sys; print(sys.version)"]
    answer = subprocess.run(asked, capture_output=True, text=True, env=clean_environ(), check=False)
    return answer.returncode == 0 and answer.stdout.strip() == sys.version.strip()


def pip(*words: str) -> None:
    """Run the caller's pip against our environment, so that Python may lack ensurepip."""
    command = [sys.executable, "-m", "pip", "--python", str(executable("python"))]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    environ = {
        k: v
        for k, v in clean_environ().items()
        if k not in {"PIP_USER", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV"}
    }
    done = subprocess.run(
        [*command, words[0], *quiet, *words[1:]], env=environ, check=False, cwd=HERE
    )
    if done.returncode:
        raise SystemExit(
            f"Installing failed (pip's exit code {done.returncode}); its words stand above. pip 22.3 or newer is needed."
        )


def run(*words: str) -> int:
    """Run a program of our environment, passing Ctrl-C on by letting it reach the child itself."""
    command = [str(executable(words[0])), *words[1:]]
    process = subprocess.Popen(command, env=clean_environ(), cwd=HERE)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def checks(arguments: list[str]) -> int:
    """Every check in the order of its cost; the first that fails ends the run."""
    install("dev.txt")
    if not arguments:
        for name, command in CHECKS:
            print(f"── {name}", file=sys.stderr, flush=True)
            if code := run(*command):
                return code
    print("── tests", file=sys.stderr, flush=True)
    return run("pytest", *arguments)


def lock() -> int:
    """Renew the hashed requirement files with uv (installed by whoever renews them)."""
    for name in ("main", "dev"):
        options = (
            "--universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet"
        )
        command = ["uv", "pip", "compile", *options.split(), f"{name}.in", "-o", f"{name}.txt"]
        if name == "dev":
            command += ["-c", "main.txt"]
        if code := subprocess.run(command, cwd=HERE / "requirements", check=False).returncode:
            return code
    return 0


def main() -> int:
    if sys.version_info < LOWEST:
        raise SystemExit(
            f"Homecoming needs Python 3.11 or newer; this is {sys.version.split()[0]}."
        )
    words = sys.argv[1:]
    if not words or words[0] in {"-h", "--help"}:
        print(__doc__)
        return 0
    if words[0] == "test":
        return checks(words[1:])
    if words[0] == "lock":
        return lock()
    if words[0] == "setup":
        install("dev.txt")
        return 0
    install("main.txt")
    return run("homecoming", *words)


if __name__ == "__main__":
    raise SystemExit(main())
