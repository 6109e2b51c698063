"""The browser that this machine has, driven from here. As a command it says which one, or how to get one: exits 1."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
MISSING = (
    "There is no Chromium on this machine. Debian, Ubuntu: apt-get install chromium. "
    f"Looked for: {', '.join(PROGRAMS)}."
)
# No sandbox: root has none, and the browser meets nothing but our own server on the loopback address.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def program() -> str | None:
    """The path of the first that is installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser with an empty profile of its own.

    Until it is closed Django takes this thread for one with an event loop, and keeps the database from it.
    """
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program(), args=FLAGS)
        yield browser
        browser.close()


if __name__ == "__main__":
    sys.exit(0 if program() else MISSING)
