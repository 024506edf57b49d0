"""What one tick did."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass
class AdvanceReport:
    """People moved on the continuum, entered journeys, steps run, messages queued and skipped.

    `stuck` counts people set aside with a fault, `ended` those let out, `started` campaigns.
    """

    moved: int = 0
    entered: int = 0
    stepped: int = 0
    queued: int = 0
    skipped: int = 0
    ended: int = 0
    stuck: int = 0
    started: int = 0

    def to_json(self) -> dict[str, int]:
        """The report as plain values."""
        return asdict(self)
