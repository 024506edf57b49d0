"""How many people one transaction takes: as many as it was quick with, within bounds.

What comes of a tick never hangs on it: a batch is what happens to be committed together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

AIM = 0.2
"""The seconds that a transaction should take, so that on a slow moment it stays below 0.5."""
GROWTH = 2.0


@dataclass
class Pace:
    """The size of the next batch, between `least` and `most`.

    With fewer than `least` what each batch costs by itself would be most of it: a busy machine must
    not make more work of the same.
    """

    size: int
    least: int = 500
    most: int = 20_000

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Time one whole batch, its commit included, and take the next one by it."""
        started = time.perf_counter()
        yield
        self.told(time.perf_counter() - started)

    def told(self, seconds: float) -> None:
        """A batch of the present size took so long."""
        share = min(AIM / max(seconds, 1e-6), GROWTH)
        self.size = max(self.least, min(self.most, int(self.size * share)))
