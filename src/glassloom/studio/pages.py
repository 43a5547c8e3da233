"""The files of the page itself: found once, by name, and never by a path that a browser sends."""

import functools
import hashlib
from dataclasses import dataclass
from importlib import resources

import vl_convert

from glassloom.paper import style
from glassloom.report.coloured import shade_rules
from glassloom.report.colours import as_rules

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class File:
    """What is answered, of which kind, and its tag: a browser that has it need not fetch it again."""

    content: bytes
    kind: str

    @functools.cached_property
    def tag(self) -> str:
        """A hash of the content, as ETag has it."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


@functools.cache
def files() -> dict[str, File]:
    """Every file by its address. Vega and the colours of figures are those of the report."""
    found = {}
    for entry in resources.files("glassloom.studio").joinpath("page").iterdir():
        ending = entry.name[entry.name.rfind(".") :]
        if ending in KINDS:
            found[f"/{entry.name}"] = File(entry.read_bytes(), KINDS[ending])
    found["/"] = found.pop("/index.html")
    found["/paper.css"] = File(style().encode(), KINDS[".css"])
    found["/figures.css"] = File((as_rules() + shade_rules()).encode(), KINDS[".css"])
    return found


@functools.cache
def vega() -> File:
    """Vega, Vega-Lite and vega-embed as one script; made when the first chart asks for it."""
    return File(str(vl_convert.javascript_bundle()).encode(), KINDS[".js"])  # type: ignore[call-arg]  # its stub lacks the default


def file_at(path: str) -> File | None:
    """The file of an address; None where there is none."""
    return vega() if path == "/vega.js" else files().get(path)
