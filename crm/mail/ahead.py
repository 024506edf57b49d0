"""Claims the next messages while the present ones are handed over.

What is claimed ahead is claimed like everything else: committed before anything of it leaves. A
crash leaves it as any claim without an outcome, for `crm.mail.reconcile`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import structlog
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from crm.core.database import db
from crm.mail.claim import Claim, Consignment
from crm.mail.facts import Group, Place

log = structlog.get_logger(__name__)
Claiming = Callable[[Session, Group, Place | None], Claim]


class Ahead:
    """One claim that goes on in a thread and a session of its own; a context manager."""

    def __init__(self, app: Flask, claiming: Claiming) -> None:
        self.app, self.claiming = app, claiming
        self.pool: ThreadPoolExecutor | None = None
        self.coming: Future[Claim] | None = None
        self.next: tuple[Group, Place] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def plan(self, group: Group, place: Place) -> None:
        """Say what is to be claimed next: what follows a place."""
        self.next, self.coming = (group, place), None

    def start(self) -> None:
        """Begin to claim what was planned; without a second connection it waits until asked."""
        if (
            self.next is not None
            and self.coming is None
            and isinstance(db.session().get_bind(), Engine)
        ):
            self.pool = self.pool or ThreadPoolExecutor(1, "claim")
            self.coming = self.pool.submit(self._claim, *self.next)

    def result(self) -> Claim:
        """What was claimed; raises what claiming raised."""
        if self.next is None:
            raise RuntimeError("nothing was planned")
        coming, (group, place) = self.coming, self.next
        self.coming = self.next = None
        return coming.result() if coming else self.claiming(db.session(), group, place)

    def left(self) -> Sequence[Consignment]:
        """What was claimed and nobody asked for: somebody must let go of it."""
        if self.coming is None:
            return ()
        try:
            return self.coming.result().consignments
        except Exception:
            log.exception("mail.claim_failed")
            return ()

    def _claim(self, group: Group, place: Place) -> Claim:
        with self.app.app_context():
            return self.claiming(db.session(), group, place)
