"""A page as a PDF, printed by the browser of the system: the page draws its own figures, as it does for a reader."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from glassloom.errors import InputError, StorageError

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)  # fmt: skip
"""What the browser is called, the first that is there."""
QUIET = [
    "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic", "--no-pdf-header-footer", "--virtual-time-budget=20000",
]  # fmt: skip
"""It opens no window, asks nothing of any host, and waits until the figures are drawn."""
SECONDS = 180


def as_pdf(html: str) -> bytes:
    """The page as it prints.

    Raises:
        InputError: no Chromium is installed, or it did not print.
    """
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        raise InputError(
            "A PDF is printed by Chromium, and there is none",
            "chromium or google-chrome on the path",
            f"install it: {_how()}",
        )
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        page, printed = Path(folder, "report.html"), Path(folder, "report.pdf")
        try:
            page.write_text(html, encoding="utf-8", errors="replace")
        except OSError as error:
            raise StorageError(f"{page} could not be written: {error}", "room in the temporary folder") from None
        command = [browser, *QUIET, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.as_uri()]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's sandbox does not run as root
        try:
            ended = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
            said = ended.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        except subprocess.TimeoutExpired:
            said = [f"it was not done after {SECONDS} seconds"]
        content = printed.read_bytes() if printed.exists() else b""
    if not content.startswith(b"%PDF-"):
        raise InputError(
            f"{browser} printed no PDF: {''.join(said) or 'it said nothing'}",
            "a Chromium that prints with --print-to-pdf",
            "write the page with --to html and print it from any browser",
        )
    return content


def _how() -> str:
    return {"darwin": "brew install --cask chromium", "win32": "winget install Google.Chrome"}.get(
        sys.platform, "apt-get install chromium"
    )
