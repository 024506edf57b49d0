"""A real site on a database of its own, and a real Chromium looking at it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy.engine import URL
from waitress.server import create_server

from crm.accounts.models import User
from crm.accounts.sessions import start_session
from crm.core import clock
from crm.core.database import db
from crm.mail.delivery import deliver
from tests.conftest import TODAY, settings_for
from tests.factories import Make
from wsgi import create_app

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Browser tests run in one worker, half of the pages' shares in another; none if no browser."""
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.browser)
            share = getattr(item, "callspec", None) and item.callspec.params.get("share", 0)
            item.add_marker(
                pytest.mark.xdist_group("browser-2" if share and share % 2 else "browser")
            )
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium on this machine"))


@dataclass
class Site:
    """A running site and its app."""

    app: Flask
    url: str = ""
    now: datetime = TODAY

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Answer a request at the moment that the test has come to."""
        with clock.at(self.now):
            return self.app(environ, start_response)

    def cookie(self, user_id: int) -> dict[str, Any]:
        """A signed-in session for a user, as the browser's cookie."""
        with self.app.app_context():
            user = db.session.get(User, user_id)
            assert user is not None
            token = start_session(db.session(), user, at=self.now)
            db.session.commit()
        serializer = self.app.session_interface.get_signing_serializer(self.app)  # type: ignore[attr-defined]
        value = serializer.dumps({"_user_id": token, "_fresh": True})
        return {"name": self.app.config["SESSION_COOKIE_NAME"], "value": value, "url": self.url}


@pytest.fixture(scope="session")
def site(
    make_database: Callable[[], URL], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The whole application behind a real web server."""
    url, instance = make_database(), tmp_path_factory.mktemp("site")
    app = create_app(settings_for(url, instance))
    site = Site(app)
    server = create_server(site, host="127.0.0.1", port=0, threads=8)
    site.url = f"http://127.0.0.1:{server.effective_port}"
    settings = app.config["SETTINGS"].model_copy(update={"base_url": site.url})
    app.config["SETTINGS"] = settings
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield site
    server.close()
    thread.join(5)
    with app.app_context():
        db.engine.dispose()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for a file; Playwright's event loop must not outlive it into other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Callable[..., Page]]:
    """Opens a page: `open_page(user_id=…, width=360, javascript=False, dark=True, touch=True)`."""
    contexts = []

    def open_it(
        *,
        user_id: int | None = None,
        width: int = 1280,
        javascript: bool = True,
        dark: bool = False,
        touch: bool = False,
    ) -> Page:
        context = browser.new_context(
            base_url=site.url,
            viewport={"width": width, "height": 800},
            java_script_enabled=javascript,
            color_scheme="dark" if dark else "light",
            has_touch=touch,
        )
        context.set_default_timeout(10_000)
        if user_id is not None:
            context.add_cookies([site.cookie(user_id)])  # type: ignore[list-item]
        contexts.append(context)
        return context.new_page()

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture
def made(site: Site) -> Iterator[Make]:
    """Factories on the site's database, at the site's moment; commit before you look.

    What earlier stories left in the outbox goes now, so that each counts its own letters.
    """
    site.now = TODAY
    with site.app.app_context(), clock.at(TODAY):
        deliver(site.app, at=TODAY + timedelta(days=7))
        yield Make(db.session(), TODAY)
        db.session.rollback()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots go, for a person to look at."""
    folder = Path("test-artifacts")
    folder.mkdir(exist_ok=True)
    return folder
