"""Files that browsers keep: addresses carry a fingerprint, so that updates are seen at once."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request

FOREVER = "public, max-age=31536000, immutable"
FILES = frozenset({"static", "bootstrap.static"})


@lru_cache(maxsize=512)
def _digest(path: Path, changed: float) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def folder_of(app: Flask, endpoint: str) -> Path:
    """The folder that an endpoint of files serves."""
    holder = app if endpoint == "static" else app.blueprints[endpoint.split(".")[0]]
    return Path(str(holder.static_folder))


def fingerprint(app: Flask, endpoint: str, filename: str) -> str | None:
    """A few letters that change with the file, or None where there is no such file."""
    path = folder_of(app, endpoint) / filename
    try:
        return _digest(path, path.stat().st_mtime)
    except (OSError, ValueError):
        return None


def init_app(app: Flask) -> None:
    """Put fingerprints into addresses of files; what carries the right one may be kept for good."""

    @app.url_defaults
    def add_fingerprint(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint in FILES and "v" not in values and "filename" in values:
            found = fingerprint(current_app, endpoint, str(values["filename"]))
            if found:
                values["v"] = found

    @app.after_request
    def keep(response: Response) -> Response:
        wanted = request.args.get("v")
        if wanted and request.endpoint in FILES and response.status_code in {200, 304}:
            filename = (request.view_args or {}).get("filename", "")
            if wanted == fingerprint(app, str(request.endpoint), filename):
                response.headers["Cache-Control"] = FOREVER
        return response
