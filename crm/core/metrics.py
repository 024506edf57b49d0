"""Figures for a monitoring system, in the text form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from crm.core.extend import extensions
from crm.core.models import Heartbeat
from crm.core.months import parts

QUEUED = "select status::text, count(*) from procrastinate_jobs group by status"


class Figures(Collector):
    """The figures of one moment; nothing is kept between two looks."""

    def __init__(self, app: Flask, session: Session, at: datetime) -> None:
        self.app, self.session, self.at = app, session, at

    def collect(self) -> Iterable[Metric]:
        """Ours, then what the areas registered: (name, what it is, value)."""
        jobs = GaugeMetricFamily("homecoming_jobs", "Jobs by state", labels=["state"])
        for status, count in self.session.execute(text(QUEUED)):
            jobs.add_metric([status], count)
        yield jobs
        beats = GaugeMetricFamily(
            "homecoming_heartbeat_age_seconds", "Since clock and worker were heard", labels=["name"]
        )
        for name, last in self.session.execute(select(Heartbeat.name, Heartbeat.at)):
            beats.add_metric([name], (self.at - last).total_seconds())
        yield beats
        sizes = GaugeMetricFamily(
            "homecoming_month_bytes", "Tables kept by months, with indices",
            labels=["table", "month"],
        )  # fmt: skip
        for part in parts(self.session):
            sizes.add_metric(
                [part.table, f"{part.month:%Y-%m}" if part.month else "rest"], part.bytes
            )
        yield sizes
        for source in extensions(self.app).metrics:
            for name, help_text, value in source(self.session, self.at):
                yield GaugeMetricFamily(name, help_text, value=value)


def exposition(app: Flask, session: Session, at: datetime) -> bytes:
    """All figures as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(app, session, at))
    return generate_latest(registry)
