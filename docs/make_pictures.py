"""Take the README's pictures: `python docs/make_pictures.py runs/demo`, after `make demo`.

Of the demo's report in the light and, as on a phone, in the dark; and of two views of its runs. Needs Playwright and a
Chromium on the path.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import glassloom
from glassloom.report.viewing import write_view

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
VIEWS = {"surprise": "gru", "attention": "transformer"}
"""Each view that has a picture, and of which of the demo's runs."""


def picture(browser: Browser, page_file: Path, path: Path, width: int, height: int, scheme: str) -> None:
    """The top of a page, as high as asked for (or as the page is)."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(page_file.resolve().as_uri())
    page.locator("figure[data-drawn=yes]").first.wait_for(timeout=30_000)
    page.wait_for_timeout(2_000)
    whole = page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, whole)}
    page.screenshot(path=path, clip=clip, full_page=True)  # type: ignore[arg-type]
    page.close()


def main(demo: Path, out: Path) -> None:
    """Every picture, into a folder."""
    browser_path = next(
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    )
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        report = demo / "report.html"
        picture(browser, report, out / "report-light.png", 1180, 2300, "light")
        picture(browser, report, out / "report-phone-dark.png", 390, 1500, "dark")
        for name, run in VIEWS.items():
            written = write_view(
                glassloom.view(demo / run, name), Path(folder, f"{name}.html"), title=f"{run}: {name}",
                command=f"glassloom view runs/demo/{run} {name} --out {name}.html",
            )  # fmt: skip
            picture(browser, written, out / f"view-{name}.png", 1180, 1500, "light")
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take the README's pictures.")
    parser.add_argument("demo", nargs="?", type=Path, default=Path("runs/demo"), help="the folder of `make demo`")
    parser.add_argument("--out", type=Path, default=PICTURES, help="where the pictures go")
    asked = parser.parse_args()
    main(asked.demo, asked.out)
