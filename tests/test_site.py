"""The documentation as a site: each page has its place, each link holds, nothing is fetched, figures come from runs."""

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from documented import PAGES, ROOT, page_name
from glassloom.models.inside import GLOSSARY
from glassloom.runs.glossary import glossary_page

DOCS = ROOT / "docs"
CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def script(name: str) -> ModuleType:
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_menu(entries: Any) -> list[str]:
    """Every page that the menu names."""
    if isinstance(entries, str):
        return [entries]
    parts = entries.values() if isinstance(entries, dict) else entries
    return [page for part in parts for page in in_menu(part)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    outcome = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return folder


class Loads(HTMLParser):
    """What a page loads by itself, and where it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(found.get("href", ""))
        elif tag == "link" and found.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(found.get("href", ""))
        elif "src" in found:
            self.loaded.append(found["src"])


def test_every_page_of_the_documentation_has_its_place_in_the_menu() -> None:
    there = [page_name(path) for path in PAGES if path.parent != ROOT]
    named = in_menu(CONFIG["nav"])
    assert sorted(named) == sorted(there), "give each page one place under nav in mkdocs.yml"


def test_the_site_is_whole_and_loads_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    names = {path.relative_to(site).as_posix() for path in pages}
    assert names >= {page.replace(".md", ".html") for page in in_menu(CONFIG["nav"])}
    assert names >= {f"findings/{path.stem}.html" for path in (ROOT / "src/glassloom/doctor/pages").glob("*.md")}
    for path in pages:
        page = Loads()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.loaded
        for address in page.loaded:
            assert not re.match(r"(https?:)?//", address), f"{path.name} loads {address}"
            if path.name != "404.html":
                assert (path.parent / address.partition("?")[0]).is_file(), f"{path.name} lacks {address}"
    for path in site.rglob("*.css"):
        for address in re.findall(r"url\(([^)]*)\)", path.read_text(encoding="utf-8")):
            assert not re.match(r"""["']?(https?:)?//""", address), f"{path.name} loads {address}"


def test_a_broken_link_or_anchor_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    config = "site_name: x\nstrict: true\nvalidation: {links: {not_found: warn, anchors: warn}}\n"
    (tmp_path / "mkdocs.yml").write_text(config, encoding="utf-8")
    (tmp_path / "docs" / "index.md").write_text("[a](#nowhere)\n", encoding="utf-8")
    outcome = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True
    )
    assert outcome.returncode == 1
    assert "nowhere" in outcome.stderr
    assert CONFIG["validation"]["links"]["anchors"] == CONFIG["validation"]["links"]["not_found"] == "warn"


def test_the_list_of_findings_leads_to_their_pages(site: Path) -> None:
    page = Loads()
    page.feed((site / "doctor.html").read_text(encoding="utf-8"))
    assert "findings/softmax-before-loss.html" in page.links
    assert not [link for link in page.links if "src/glassloom" in link]


def test_what_is_included_in_the_pages_is_what_the_files_and_runs_say() -> None:
    fill = script("fill")
    included = 0
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert fill.filled(text) == text, f"{path.name}: python docs/fill.py"
        included += len(fill.MARK.findall(text))
    assert included >= 17
    assert "class MinGRU(LanguageModel)" in (DOCS / "questions" / "extend.md").read_text(encoding="utf-8")
    assert fill.filled("<!-- minute -->\nold\n<!-- end of minute -->").count("|") == 6 * 6


def test_every_figure_is_drawn_by_the_script_and_used() -> None:
    drawn = {path.name for path in (DOCS / "figures").glob("*.svg")}
    code = (DOCS / "make_figures.py").read_text(encoding="utf-8")
    told = "".join(path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md"))
    for name in drawn:
        assert f'"{name.removesuffix(".svg")}"' in code or f'"{name}"' in code
        assert f"figures/{name})" in told
        assert (DOCS / "figures" / name).stat().st_size < 300_000


def test_the_glossary_of_inner_values_is_what_the_models_show() -> None:
    page = glossary_page()
    assert (DOCS / "glossary.md").read_text(encoding="utf-8") == page, (
        "write it anew: python -m glassloom.runs.glossary > docs/glossary.md"
    )
    for name in GLOSSARY:
        assert f"`{name}`" in page.replace("attention.0", "attention.M"), name
    assert "| `layers.N.gate.forget` | time width | 19 x 256 |" in page
    assert "| `layers.N.attention.1.weights` | heads time keys | 4 x 19 x 19 |" in page
