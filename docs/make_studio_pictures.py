"""Take the pictures of the studio: `python docs/make_studio_pictures.py runs/demo`, a folder with two runs or more.

Needs Playwright and a Chromium on the path.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PROMPT = "ROMEO:\nWhat light"


def runs(page: Page) -> None:
    """The list, with the curves of its lines."""
    page.locator("table.runs .spark path").last.wait_for()


def playground(page: Page) -> None:
    """Two models side by side; a token of the first is pointed at, and in the second alternatives are open."""
    page.locator("form textarea").fill(PROMPT)
    page.get_by_role("button", name="Write", exact=True).click()
    lanes = page.locator(".lane")
    for place in range(lanes.count()):
        lanes.nth(place).locator(".pace").wait_for(timeout=30_000)
    pointed = lanes.first.locator(".token").nth(60)
    pointed.scroll_into_view_if_needed()
    pointed.hover()
    page.locator(".token.lit").first.wait_for()


def compared(page: Page) -> None:
    """Curves on the same axes."""
    page.locator("table.beside").first.wait_for()
    page.locator(".plot .line").first.wait_for()


def main(folder: str) -> None:
    """The list, the playground and a comparison, in the light; and on a phone in the dark."""
    browser_path = next(
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    )
    command = [sys.executable, "-m", "glassloom", "studio", folder, "--port", "0", "--no-open", "--json"]
    studio = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert studio.stdout is not None
    printed = ""
    while not printed.rstrip().endswith("}"):
        printed += studio.stdout.readline()
    address = json.loads(printed)["address"]
    found = sorted(path.parent.name for path in Path(folder).glob("*/config.json"))
    some = "&".join(f"run={name}" for name in [name for name in ("gru", "transformer") if name in found] or found[:2])
    every = "&".join(f"run={name}" for name in found[:6])
    shots = (
        ("runs", "", runs, 1180, 620, "light"),
        ("playground", f"write?{some}", playground, 1180, 1300, "light"),
        ("compare", f"compare?{every}", compared, 1180, 1000, "light"),
        ("phone-dark", f"write?{some}", playground, 390, 1180, "dark"),
    )
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
            for name, at, ready, width, height, scheme in shots:
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
                page.goto(f"{address}#/{at}")
                ready(page)
                page.wait_for_timeout(700)
                clip = {"x": 0, "y": 0, "width": width, "height": height}
                page.screenshot(path=PICTURES / f"studio-{name}.png", clip=clip, full_page=True)  # type: ignore[arg-type]
                page.close()
            browser.close()
    finally:
        studio.terminate()
        studio.wait()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")
