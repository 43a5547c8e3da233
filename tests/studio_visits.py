"""The studio's pages in a browser, for tests: opened, listened to, and asked to write."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from browsing import Heard
from glassloom.studio import Server


class Visit(Heard):
    """A page of the studio."""

    def __init__(self, browser: Browser, server: Server, at: str, width: int, scheme: str) -> None:
        super().__init__(browser, width, scheme)
        self.refusals, self.own = False, (server.address.url, "data:", "blob:")
        self.page.goto(f"{server.address.url}#/{at}")

    @property
    def foreign(self) -> list[str]:
        """Requests to another host."""
        return [address for address in self.requests if not address.startswith(self.own)]

    def close(self) -> None:
        """No test of this file leaves a word on the console, or a request to another host."""
        hacked = self.page.evaluate("window.hacked")
        # a browser says so of every refusal, however expected
        refusals = ("the server responded with a status of 400", "net::ERR_CONNECTION_RESET")
        if self.refusals:
            self.console = [line for line in self.console if not any(one in line for one in refusals)]
        self.context.close()
        assert (self.console, self.foreign, hacked) == ([], [], None)


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    visits: list[Visit] = []

    def open_page(
        at: str = "", width: int = 1280, scheme: str = "light", of: Server = server, refusals: bool = False
    ) -> Page:
        visits.append(Visit(browser, of, at, width, scheme))
        visits[-1].refusals = refusals
        return visits[-1].page

    yield open_page
    for one in visits:
        one.close()


def written(page: Page, prompt: str, length: int = 40) -> Locator:
    """Let the chosen models continue a prompt, and wait until they have; their lanes."""
    page.locator("form.playground textarea").fill(prompt)
    page.locator("input[type=range]").nth(1).fill(str(length))
    page.get_by_role("button", name="Write", exact=True).click()
    lanes = page.locator(".lane")
    for place in range(lanes.count()):
        expect(lanes.nth(place).locator(".pace")).to_be_visible(timeout=20_000)
    return lanes
