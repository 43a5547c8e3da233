"""What the site needs beyond the pages of docs/: a page for each finding of the doctor, and links that hold there.

In the repository the findings' pages lie with the doctor (`glassloom doctor --explain NAME` shows them); the site has
them under findings/. MkDocs calls these functions (`hooks` in mkdocs.yml).
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "src" / "glassloom" / "doctor" / "pages"
LINK = re.compile(r"\]\(\.\./src/glassloom/doctor/pages/([a-z-]+\.md)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add a page for each finding; it is reached from the doctor's page, not from the menu."""
    for path in sorted(FINDINGS.glob("*.md")):
        page = File.generated(config, f"findings/{path.name}", content=path.read_text(encoding="utf-8"))
        page.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(page)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links from the doctor's page to the findings' files lead to their pages here."""
    return LINK.sub(r"](findings/\1)", markdown)
