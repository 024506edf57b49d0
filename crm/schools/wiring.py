"""What the schools area registers with the app."""

from __future__ import annotations

from flask import Flask

from crm.core.extend import extensions
from crm.core.keys import names_by
from crm.schools.models import Cluster, School


def init_app(app: Flask) -> None:
    """Register what the things of this area are called."""
    known = extensions(app)
    known.object_names["school"] = names_by(School.id, School.name)
    known.object_names["cluster"] = names_by(Cluster.id, Cluster.name)
