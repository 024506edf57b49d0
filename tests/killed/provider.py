"""A mail provider whose memory is a file, so that it outlives whoever talks to it.

It behaves as the worst that a real one may do: it loses answers, accepts requests minutes after
the caller gave up, asks to wait (429), and tells its events twice over, out of order and late. It
sends nothing of a batch that was cancelled in time, and notes whoever cancels too late.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from crm.mail.transport import Batch, Guarantee, Outcome
from tests.killed.children import Points

IN_TIME = timedelta(minutes=10)


def share(*names: Any) -> float:
    """A fixed number from 0 to 1 for these names."""
    digest = hashlib.sha256(repr(names).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


@dataclass(frozen=True)
class Weather:
    """How often a hand-over goes wrong, and how long the provider takes to tell of things."""

    lost: float = 0.0
    late: float = 0.0
    busy: float = 0.0
    unheard: float = 0.0
    early: float = 0.0
    early_after: tuple[int, ...] = (1,)
    delay: timedelta = timedelta(0)
    very_late: float = 0.0


CALM = Weather()
STORM = Weather(
    lost=0.08, late=0.08, busy=0.08, unheard=0.2, early=0.4, early_after=(1, 12),
    delay=timedelta(minutes=8), very_late=0.15,
)  # fmt: skip


@dataclass
class FileProvider:
    """One connection to the provider, at a virtual moment."""

    path: Path
    at: datetime
    seed: int = 0
    weather: Weather = CALM
    points: Points = field(default_factory=Points)
    guarantee: Guarantee = Guarantee.FENCE
    name: str = "file"
    size: int = 7
    files_apart: bool = True

    def note(self, **line: Any) -> None:
        """Remember something, in one write."""
        out = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(out, (json.dumps({**line, "at": self.at.isoformat()}) + "\n").encode())
        os.close(out)

    def new_batch(self) -> str:
        """A name for a batch."""
        self.points.reach("batch named")
        return os.urandom(8).hex()

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        """Accept a batch, unless the weather says otherwise."""
        self.points.reach("posting")
        ids = {p.message_id for p in batch.parcels}
        lost, late, busy = self.weather.lost, self.weather.late, self.weather.busy
        first = batch.parcels[0]
        fate = share(self.seed, first.address, first.origin, first.attempt)
        if fate < busy and first.attempt < 4:
            return Outcome(later=ids, wait=60, stop=True)
        accepted = self.at
        if busy <= fate < busy + late:
            accepted += timedelta(minutes=12)
        self.note(
            batch=batch.id, accepted=accepted.isoformat(),
            leaves=(batch.send_at or accepted).isoformat(),
            mails=[[str(p.message_id), p.attempt, p.address, p.origin] for p in batch.parcels],
        )  # fmt: skip
        self.points.reach("posted")
        return Outcome() if fate < busy + late + lost else Outcome(accepted=ids)

    def cancel(self, batch_id: str) -> bool:
        """Discard a batch, if asked in time; the answer may be lost the first time."""
        self.points.reach("cancelling")
        asked = sum(line.get("cancel") == batch_id for line in self.lines())
        self.note(cancel=batch_id)
        self.points.reach("cancelled")
        return asked > 0 or share(self.seed, batch_id) >= self.weather.unheard

    def release(self, batch_id: str) -> bool:
        """Forget a batch that was cancelled."""
        return True

    def close(self) -> None:
        """There is nothing to close."""

    def lines(self) -> list[dict[str, Any]]:
        """Everything remembered, in order."""
        told = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in told.splitlines()]

    def history(self) -> tuple[list[dict[str, Any]], set[str], list[str]]:
        """What was accepted, which batches were discarded, and which were cancelled too late."""
        lines = self.lines()
        posts = [line for line in lines if "mails" in line]
        leaves = {post["batch"]: datetime.fromisoformat(post["leaves"]) for post in posts}
        discarded, too_late = set(), []
        for line in lines:
            batch = line.get("cancel")
            if batch is None:
                continue
            margin = leaves[batch] - datetime.fromisoformat(line["at"]) if batch in leaves else None
            if margin is None or margin >= IN_TIME:
                discarded.add(batch)
            else:
                too_late.append(batch)
        return posts, discarded, too_late

    def sent(self) -> Counter[str]:
        """How often each message really went."""
        posts, discarded, _ = self.history()
        kept = [post for post in posts if post["batch"] not in discarded]
        return Counter(mail[0] for post in kept for mail in post["mails"])


def events_of(provider: FileProvider) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """Every event the provider has to tell, with when it first tells it.

    Whether a mail is clicked or bounces is fixed by address and origin.
    """
    posts, discarded, _ = provider.history()
    weather, seed = provider.weather, provider.seed
    for post in posts:
        accepted, leaves = (datetime.fromisoformat(post[name]) for name in ("accepted", "leaves"))
        for message, attempt, address, origin in post["mails"]:
            mail = {"message_id": message, "attempt": str(attempt), "email": address}
            early = share(seed, "early", message, attempt) / weather.early if weather.early else 1
            if early < 1:
                lag = weather.early_after[int(early * len(weather.early_after))]
                yield accepted + timedelta(minutes=lag), _event("processed", accepted, mail)
            if post["batch"] in discarded:
                continue
            bounced = share("bounce", address) < 0.06
            end = leaves + timedelta(minutes=2)
            yield end + weather.delay, _event("bounce" if bounced else "delivered", end, mail)
            about = origin.partition(":")[0] if origin.startswith("ask:") else origin
            if not bounced and share("click", address, about) < 0.5:
                clicked = end + timedelta(minutes=20)
                slow = share(seed, "lag", address, about) < weather.very_late
                told = clicked + (timedelta(hours=20) if slow else timedelta(0))
                click = {**mail, "url": "https://homecoming.example/story"}
                yield told, _event("click", clicked, click)


def _event(kind: str, at: datetime, mail: Mapping[str, str]) -> dict[str, Any]:
    return {"event": kind, "timestamp": int(at.timestamp()), "useragent": "Mozilla/5.0", **mail}
