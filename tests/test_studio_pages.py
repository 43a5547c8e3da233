"""The page's own files: all are served and shipped, whatever one of them asks for is there, and nothing is inline."""

import re
import tomllib
from pathlib import Path

from glassloom.studio.pages import file_at, files

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "src" / "glassloom" / "studio" / "page"
ASKED = re.compile(r"""(?:from\s+|import\()"(/[^"]+)"|(?:href|src)="(/[^"]*)"|src:\s*"(/[^"]+)\"""")


def test_every_file_of_the_page_is_served_and_shipped() -> None:
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = patterns["tool"]["setuptools"]["package-data"]["glassloom"]
    for path in PAGE.iterdir():
        found = file_at("/" if path.name == "index.html" else f"/{path.name}")
        assert found is not None
        assert found.content == path.read_bytes()
        assert f"**/*{path.suffix}" in shipped


def test_what_the_page_asks_for_is_there_and_on_this_server() -> None:
    for path, file in files().items():
        text = file.content.decode("utf-8")
        for groups in ASKED.findall(text):
            address = next(filter(None, groups))
            assert file_at(address) is not None, f"{path} asks for {address}"
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), f"{path} names another host"
    assert (file_at("/vega.js") or files()["/"]).content.count(b"vegaEmbed") > 0


def test_no_module_reads_text_as_html() -> None:
    for path in PAGE.glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "DOMParser",
        ):
            assert word not in text, f"{path.name}: {word}"
        assert len(text.splitlines()) <= 400
