"""One part of the program on a machine of its own, where the time is what a file says it is.

`python -m tests.machines.machine (worker|clock) DATABASE_URL INSTANCE_FOLDER SMTP_URL TIME_FILE`.
It is the program's own worker or clock; only the moment is told, and knocks come every second.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.engine import make_url

from crm.core import clock, operations
from crm.core.extend import extensions
from crm.core.jobs import Jobs
from tests.conftest import settings_for
from wsgi import create_app

KNOCKS = {"lifecycle.advance", "mail.deliver", "mail.reconcile", "core.months"}


def main(part: str, url: str, instance: str, server: str, told: str) -> None:
    """Run until a signal comes."""
    real, real_scheduler = clock.now, Jobs.scheduler

    def moment() -> datetime:
        return datetime.fromisoformat(Path(told).read_text())

    def scheduler(self: Jobs) -> BackgroundScheduler:
        """Knocks come by the machine's own clock."""
        clock.now = real
        made = real_scheduler(self)
        clock.now = moment
        return made

    clock.now, Jobs.scheduler = moment, scheduler  # type: ignore[method-assign]
    folder = Path(instance)
    folder.mkdir(exist_ok=True)
    settings = settings_for(make_url(url), folder, mail="smtp", smtp_url=server)
    app = create_app(settings)
    jobs = extensions(app).jobs
    jobs[:] = [replace(job, every_seconds=1) for job in jobs if job.key in KNOCKS]
    operations.run(app, worker=part == "worker", clock=part == "clock")


if __name__ == "__main__":
    main(*sys.argv[1:])
