"""Set Homecoming up and run it: the one file that needs nothing but Python and pip.

  python3 dev.py demo     build a demo district and serve it
  python3 dev.py test     run every check (with words: pytest alone, with these words)
  python3 dev.py setup    only install
  python3 dev.py lock     renew the hashed requirement files

Any other words go to the `homecoming` command: python3 dev.py people find 'class:2019'.
Everything lands in .venv beside this file (HOMECOMING_VENV names another folder) and nothing outside
it is touched: an environment that the caller has activated is left alone.
"""
# Every Python must be able to read this file, to be told that it is too old; hence no annotations.
# ruff: noqa: RUF005, UP032, UP036

import sys

if sys.version_info < (3, 11):
    found = ".".join(str(part) for part in sys.version_info[:3])
    sys.exit("Homecoming needs Python 3.11 or newer, and this is {}.".format(found))
if sys.platform == "win32":
    sys.exit("Homecoming runs on Linux and macOS; on Windows run it in WSL.")

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / (os.environ.get("HOMECOMING_VENV") or ".venv")
PYTHON = ENVIRONMENT / "bin" / "python"
UNFINISHED = ENVIRONMENT / ".homecoming-unfinished"
# Started as modules: the scripts in bin break when the path is long or the folder was moved.
HOMECOMING = "import sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'homecoming'; "
HOMECOMING += "from wsgi import main; sys.exit(main())"
LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
CHECKS = (
    ("format", ["-m", "ruff", "format", "--check", "."]),
    ("lint", ["-m", "ruff", "check", "."]),
    ("types", ["-m", "mypy"]),
    ("imports", ["-c", LINT_IMPORTS]),
)
# Of pip's settings those that say where packages come from; others could send ours elsewhere.
PIP_SETTINGS = """INDEX_URL EXTRA_INDEX_URL NO_INDEX FIND_LINKS TRUSTED_HOST CERT CLIENT_CERT PROXY
    CONFIG_FILE CACHE_DIR NO_CACHE_DIR TIMEOUT DEFAULT_TIMEOUT RETRIES KEYRING_PROVIDER USE_FEATURE
    USE_DEPRECATED"""


def say(text):
    """Tell the person at the terminal; stdout is kept for what programs answer."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def clean_environ():
    """The caller's environment without the virtual environment and the pip they may stand in."""
    kept = {"PIP_" + name for name in PIP_SETTINGS.split()}
    unwanted = {"PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "__PYVENV_LAUNCHER__"}
    environ = {
        name: value
        for name, value in os.environ.items()
        if name not in unwanted and (name in kept or not name.startswith("PIP_"))
    }
    # Settings in pip's own files stay, but for these.
    environ.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    environ["PATH"] = os.pathsep.join([str(PYTHON.parent), environ.get("PATH", os.defpath)])
    environ["VIRTUAL_ENV"] = str(ENVIRONMENT)
    # Compiling what a start imports takes longer than the start: kept, but not among the sources.
    environ["PYTHONPYCACHEPREFIX"] = str(ENVIRONMENT / "bytecode")
    # One OpenMP thread: on few cores the default spins and makes model fits 15 times slower.
    environ.setdefault("OMP_NUM_THREADS", "1")
    return environ


def run(command, lock=None):
    """Run a program in a process group of its own, handing each signal on once; its exit code.

    One that installs is given the lock, so that it holds it even if we are killed.
    """
    received, child = [], []

    def hand_on(number, _frame):
        received.append(number)
        for process in child:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)

    heeded = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    heeded = [number for number in heeded if signal.getsignal(number) != signal.SIG_IGN]
    before = [(number, signal.signal(number, hand_on)) for number in heeded]
    try:
        child.append(
            subprocess.Popen(
                command,
                cwd=HERE,
                env=clean_environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if lock else None,
                pass_fds=[lock] if lock else [],
                process_group=0,
            )
        )
        if received:
            hand_on(received.pop(), None)
        code = child[0].wait()
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    if received:
        sys.exit(128 + received[0])
    return code if code >= 0 else 128 - code


def become(words):
    """Turn into a program of our environment, so that signals and the terminal are all its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(PYTHON, [str(PYTHON)] + words, clean_environ())  # noqa: S606 - no shell wanted


def answer(command):
    """What a program prints, or nothing where it fails."""
    with contextlib.suppress(OSError):
        done = subprocess.run(
            command, capture_output=True, text=True, env=clean_environ(), check=False
        )
        if done.returncode == 0:
            return done.stdout.strip()
    return ""


def usable():
    """Whether our environment runs, and its packages are for the Python that it now runs."""
    version = answer([str(PYTHON), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    fits = version and tuple(map(int, version.split("."))) >= (3, 11)
    return bool(fits) and (ENVIRONMENT / "lib" / ("python" + version) / "site-packages").is_dir()


def wanted():
    """A fingerprint of what must be installed, and of where: an editable install knows its place."""
    files = ["pyproject.toml", "requirements/main.txt", "requirements/dev.txt"]
    parts = [(HERE / name).read_bytes() for name in files] + [os.fsencode(HERE)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def installed(name):
    """Whether the requirements `main` or `dev` are in place; dev holds all of main."""
    if UNFINISHED.exists() or not usable():
        return False
    markers = [ENVIRONMENT / (".homecoming-" + each) for each in {name, "dev"}]
    return any(marker.exists() and marker.read_text() == wanted() for marker in markers)


def install(name):
    """Have the requirements `main` or `dev` installed, whoever else may be at it."""
    try:
        if installed(name):
            return
        with open(__file__, "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another dev.py is installing; waiting for it ...")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not installed(name):
                install_afresh(name, lock.fileno())
    except OSError as error:
        sys.exit(
            "Cannot install into {}: {}. Make room or make it writable, or let HOMECOMING_VENV name "
            "a folder elsewhere.".format(ENVIRONMENT, error)
        )


def install_afresh(name, lock):
    """Make the environment if need be and install into it, leaving a mark until all is done."""
    started = time.monotonic()
    if UNFINISHED.exists() or not usable():
        if ENVIRONMENT.exists():
            say("Removing {}, which is unfinished or does not run.".format(ENVIRONMENT.name))
            shutil.rmtree(ENVIRONMENT)
        ENVIRONMENT.mkdir(parents=True)
        UNFINISHED.touch()
        venv.EnvBuilder(symlinks=True).create(ENVIRONMENT)
    UNFINISHED.touch()
    requirements = HERE / "requirements" / (name + ".txt")
    count = len(re.findall(r"^[\w.-]+==", requirements.read_text(), re.MULTILINE))
    say("Installing {} packages into {} (half a minute) ...".format(count, ENVIRONMENT.name))
    # Compiling what is never imported would take as long as all the rest.
    pip = pip_command(lock) + ["install", "-qq", "--no-compile", "--no-input"]
    for words in (
        ["--require-hashes", "-r", str(requirements)],
        ["--no-deps", "--no-build-isolation", "-e", str(HERE)],
    ):
        if run(pip + words, lock):
            sys.exit("Installing failed for the reason above. When it is mended, run this again.")
    (ENVIRONMENT / (".homecoming-" + name)).write_text(wanted())
    UNFINISHED.unlink()
    say("Installed in {:.0f} seconds.".format(time.monotonic() - started))


def pip_command(lock):
    """The caller's pip, or that of the Python below their environment, or else one put into ours.

    Theirs first, because Debian's Python has no ensurepip. We start the file that `pip --python`
    would start: as its child, pip would outlive a killed dev.py and answer Ctrl-C with a traceback.
    """
    for python in (sys.executable, getattr(sys, "_base_executable", sys.executable)):
        folder = answer([python, "-c", "import pip; print(pip.__path__[0])"])
        runner = Path(folder, "__pip-runner__.py")
        if folder and runner.exists():
            return [str(PYTHON), str(runner)]
    ours = [str(PYTHON), "-m", "pip"]
    if not answer(ours + ["--version"]) and run([str(PYTHON), "-m", "ensurepip"], lock):
        sys.exit("Homecoming needs pip: install your system's python3-pip, then run this again.")
    return ours


def test(words):
    """Every check in the order of its cost; the first that fails ends the run."""
    install("dev")
    for name, command in () if words else CHECKS:
        say("-- " + name)
        code = run([str(PYTHON)] + command)
        if code:
            return code
    say("-- tests")
    os.chdir(HERE)
    return become(["-m", "pytest"] + words)


def lock():
    """Renew the hashed requirement files with uv (installed by whoever renews them)."""
    words = ["uv", "pip", "compile", "--universal", "--python-version", "3.11"]
    words += ["--generate-hashes", "--no-header", "--no-annotate", "--quiet"]
    held = ["-c", "main.txt"]
    for name, more in (("main", []), ("dev", held), ("bench", held)):
        command = words + [name + ".in", "-o", name + ".txt"] + more
        code = subprocess.run(command, cwd=HERE / "requirements", check=False).returncode
        if code:
            return code
    return 0


def main(words):
    """Do what the words say; the exit code."""
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(__doc__)
        return 0
    if words[0] == "test":
        return test(words[1:])
    if words[0] == "lock":
        return lock()
    if words[0] == "setup":
        return install("dev")
    install("main")
    return become(["-P", "-c", HOMECOMING, str(HERE)] + words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
