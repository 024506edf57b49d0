"""The journeys that come with the program, as files to start from."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "journeys"


def starters() -> list[str]:
    """The keys of the journeys that come with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def starter_text(key: str) -> str:
    """The YAML of one of them; empty for anything else."""
    return (FOLDER / f"{key}.yaml").read_text("utf-8") if key in starters() else ""
