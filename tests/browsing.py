"""Pages in a real browser, for tests: opened, and listened to while they are."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES_OF_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's own."""
    found = next((path for name in NAMES_OF_CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("No Chromium is installed, and these tests need one: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


class Heard:
    """A window, what its pages write to the console, and what they ask of any host."""

    def __init__(self, browser: Browser, width: int = 1280, scheme: str = "light", height: int = 800) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.console: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))


class Visit(Heard):
    """A page of the report, with every figure drawn."""

    def __init__(self, browser: Browser, address: Path, width: int, scheme: str) -> None:
        super().__init__(browser, width, scheme)
        self.page.goto(address.as_uri())
        # no wait_for_function: it evaluates a string in the page, which the page's policy forbids
        last = self.page.locator("figure").count() - 1
        self.page.locator("figure[data-drawn=yes]").nth(last).wait_for(timeout=60_000)


@contextmanager
def visiting(browser: Browser, of: Path | None = None) -> Iterator[tuple[Callable[..., Visit], list[Visit]]]:
    """What opens pages (`of`: which, where none is named), and those that are open; they are closed at the end."""
    visits: list[Visit] = []

    def open_page(address: Path | None = None, width: int = 1280, scheme: str = "light") -> Visit:
        chosen = address or of
        assert chosen is not None
        visits.append(Visit(browser, chosen, width, scheme))
        return visits[-1]

    yield open_page, visits
    for one in visits:
        one.context.close()
