"""Kills deliverers at every point of their way and tells what the provider then sent.

Run as a program of its own (it forks, so no other thread may live in it):
`python -m tests.crm.mail.harness DATABASE_URL FOLDER`. The provider is a file that
knows what was accepted and what was cancelled; time is what we say it is.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.mail import events, webhook
from crm.mail.delivery import deliver
from crm.mail.models import Message, MessageState
from crm.mail.reconcile import reconcile
from crm.mail.transport import Batch, Guarantee, Outcome
from tests.conftest import settings_for
from tests.crm.mail.outbox import make_content, queue
from tests.factories import Make
from wsgi import create_app

START = datetime(2026, 9, 15, 15, 0, tzinfo=UTC)
PEOPLE = 2
# Of a run's commits the second claims, the third follows the reading, the fourth records; the
# seventh records the second of two contents.
COMMITS = [f"{when}-commit-{n}" for n in (2, 3, 4, 7) for when in ("before", "after")]
POINTS = [*COMMITS, "before-post", "after-post"]
# With batches of one the next is claimed while the present one is handed over.
AHEAD_POINTS = ["before-post", "after-post"]
SETTLE_POINTS = ["before-cancel", "after-cancel", "before-commit-3", "after-commit-3"]


class FileProvider:
    """A provider whose memory is a file, so that it outlives whoever talks to it."""

    name = "file"
    size = 1_000
    files_apart = True

    def __init__(self, path: Path, guarantee: Guarantee, kill: Callable[[str], None]) -> None:
        self.path, self.guarantee, self.kill = path, guarantee, kill

    def note(self, **line: Any) -> None:
        with self.path.open("a") as out:
            out.write(json.dumps(line) + "\n")
            out.flush()

    def lines(self) -> list[dict[str, Any]]:
        text = self.path.read_text() if self.path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def new_batch(self) -> str:
        return os.urandom(8).hex()

    def hand_over(self, session: Session, batch: Batch) -> Outcome:
        self.kill("before-post")
        self.note(batch=batch.id, ids=[[str(p.message_id), p.attempt] for p in batch.parcels])
        self.kill("after-post")
        return Outcome(accepted={p.message_id for p in batch.parcels})

    def cancel(self, batch_id: str) -> bool:
        self.kill("before-cancel")
        self.note(cancel=batch_id)
        self.kill("after-cancel")
        return True

    def release(self, batch_id: str) -> bool:
        return True

    def close(self) -> None:
        """There is nothing to close."""

    def sent(self) -> list[tuple[str, int]]:
        """(message id, attempt) of what was accepted and never cancelled."""
        cancelled = {line["cancel"] for line in self.lines() if "cancel" in line}
        kept = [line for line in self.lines() if "ids" in line and line["batch"] not in cancelled]
        return [(message, attempt) for line in kept for message, attempt in line["ids"]]


def never(point: str) -> None:
    """Kills nobody."""


def killer(at: str) -> Callable[[str], None]:
    """Kills this process when it comes to a point."""

    def kill(point: str) -> None:
        if point == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def in_child(app: Flask, work: Callable[[], object], kill: Callable[[str], None]) -> None:
    """Do some work in a process that may be killed on the way."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    with app.app_context():
        db.engine.dispose(close=False)
        commits = iter(range(1, 1_000))
        session = db.session.registry()
        number = {"n": 0}

        @event.listens_for(session, "before_commit")
        def before(_: Any) -> None:
            number["n"] = next(commits)
            kill(f"before-commit-{number['n']}")

        @event.listens_for(session, "after_commit")
        def after(_: Any) -> None:
            kill(f"after-commit-{number['n']}")

        work()
    os._exit(0)


def queue_some(app: Flask, at: datetime, round_no: int, people: int) -> None:
    with app.app_context():
        make = Make(db.session(), at)
        for n in range(people):
            version = make_content(db.session(), at, key=f"c{n % 2}", body="Hello {{ first_name }}")
            person = make.alumnus(email=f"r{round_no}p{n}@mail.example")
            queue(db.session(), person, version, at, origin=f"campaign:c{n % 2}")
        db.session.commit()
        db.session.remove()
        db.engine.dispose()


def tell(app: Flask, provider: FileProvider, at: datetime) -> None:
    """The provider's events of everything it sent."""
    told = [
        {
            "event": "delivered", "timestamp": int(at.timestamp()), "message_id": message,
            "attempt": str(attempt), "email": "x@mail.example",
        }
        for message, attempt in provider.sent()
    ]  # fmt: skip
    with app.app_context():
        events.take_in(db.session(), webhook.parse(json.dumps(told).encode()), at=at)
        db.session.commit()


def rounds(guarantee: Guarantee) -> Iterator[tuple[str, str, int]]:
    """Where to kill the deliverer and where the one who settles, and how many go at once."""
    if guarantee is not Guarantee.FENCE:
        yield "after-post", "nowhere", 1_000
        return
    for point in POINTS:
        yield point, "nowhere", 1_000
    for point in AHEAD_POINTS:
        yield point, "nowhere", 1
    for point in SETTLE_POINTS:
        yield "after-post", point, 1_000


def run(app: Flask, folder: Path, guarantee: Guarantee, first: int) -> dict[str, int]:
    """All rounds, a day each; answers what was lost, doubled and left in doubt."""
    calm = FileProvider(folder / f"{guarantee}.jsonl", guarantee, never)
    begin = START + timedelta(days=first)
    for number, (delivering, settling, batch) in enumerate(rounds(guarantee), first):
        at = START + timedelta(days=number)
        queue_some(app, at, number, PEOPLE * (4 if batch == 1 else 1))
        kill = killer(delivering)
        dying = FileProvider(calm.path, guarantee, kill)
        in_child(app, lambda t=dying, m=at, b=batch: deliver(app, at=m, transport=t, batch=b), kill)  # type: ignore[misc]
        later = at + timedelta(minutes=11)
        kill = killer(settling)
        dying = FileProvider(calm.path, guarantee, kill)
        in_child(app, lambda t=dying, m=later: reconcile(app, at=m, transport=t), kill)  # type: ignore[misc]
        last = at + timedelta(minutes=13)
        with app.app_context():
            reconcile(app, at=last, transport=calm)
            deliver(app, at=last, transport=calm)
            db.engine.dispose()
    tell(app, calm, last + timedelta(hours=1))
    return _verdict(app, calm, begin)


def _verdict(app: Flask, provider: FileProvider, begin: datetime) -> dict[str, int]:
    sent = Counter(message for message, _ in provider.sent())
    with app.app_context():
        mine = select(Message.id, Message.state).where(Message.queued_at >= begin)
        rows = db.session.execute(mine).all()
        db.session.remove()
        db.engine.dispose()
    return {
        "messages": len(rows),
        "lost": sum(sent[str(row.id)] == 0 for row in rows),
        "doubled": sum(count > 1 for count in sent.values()),
        "unsettled": sum(row.state is not MessageState.ACCEPTED for row in rows),
        "kills": len(list(rounds(provider.guarantee))),
    }


def main(database: str, folder: str) -> None:
    """Print the verdict on the fence, and on a design that simply tries again."""
    settings = settings_for(make_url(database), Path(folder), uncertain_grace=10)
    app = create_app(settings)
    found = {
        "fence": run(app, Path(folder), Guarantee.FENCE, 0),
        "blind": run(app, Path(folder), Guarantee.KEY, 100),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
