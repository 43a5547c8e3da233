"""Take the README's pictures of a report: `python docs/make_pictures.py runs/demo/report.html`.

Needs Playwright and a Chromium on the path.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def main(report: str) -> None:
    """One picture in the light and one in the dark, and one as on a phone."""
    browser_path = next(
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        for name, width, height, scheme in (("light", 1180, 2300, "light"), ("phone-dark", 390, 1500, "dark")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.goto(Path(report).resolve().as_uri())
            page.locator("svg.marks, canvas").first.wait_for(timeout=30_000)
            page.wait_for_timeout(2_000)
            clip = {"x": 0, "y": 0, "width": width, "height": height}
            page.screenshot(path=PICTURES / f"report-{name}.png", clip=clip, full_page=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/demo/report.html")
