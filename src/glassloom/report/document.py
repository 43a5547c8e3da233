"""What every page is made of: one file that opens offline, from which no request leaves.

Vega is inlined once for all figures. Scripts and styles run by their hashes only, and Vega interprets its expressions
instead of compiling them, so the page needs neither inline code nor eval: text from a corpus can never become code.
"""

import base64
import functools
import hashlib
import zlib
from collections.abc import Mapping
from importlib import resources
from pathlib import PurePath
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from glassloom import paper
from glassloom.comparison.table import written_setting
from glassloom.comparison.wording import count, visible
from glassloom.report.coloured import shade_rules
from glassloom.report.colours import as_rules

KINDS_OF_FILE = {
    ".csv": "text/csv",
    ".tex": "application/x-tex",
    ".md": "text/markdown",
    ".json": "application/json",
    ".txt": "text/plain",
}

SCRIPTS = ("saving.js", "charts.js", "matrices.js", "coloured.js", "curves.js", "filter.js", "page.js")
"""In this order: the last one starts what the others define."""


def render(template: str, charts: bool = True, **content: Any) -> str:
    """A whole page of one of the templates, with its scripts, its style and the policy that allows only these.

    Vega is nine tenths of a page: one without `charts` is spared it.
    """
    scripts = [*([_vega()] if charts else []), *map(_own, SCRIPTS)]
    style = paper.style() + _own("style.css") + as_rules() + shade_rules()
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(_source(script) for script in scripts)}",
            f"style-src {_source(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return (
        _templates()
        .get_template(template)
        .render(policy=policy, scripts=[Markup(script) for script in scripts], style=Markup(style), **content)
    )


def as_links(files: Mapping[str, str]) -> dict[str, str]:
    """Files by name as addresses that hold their own content."""
    links = {}
    for name, text in files.items():
        kind = KINDS_OF_FILE.get(PurePath(name).suffix, "text/plain")
        links[name] = f"data:{kind};charset=utf-8;base64,{in_base64(text.encode('utf-8', 'replace'))}"
    return links


PACKED = 60_000
"""Files of more characters than this are packed, for a view's numbers are many times its page."""


def large(files: Mapping[str, str]) -> dict[str, str]:
    """Of files by name the large ones, packed."""
    return {name: packed(text) for name, text in files.items() if len(text) > PACKED}


def small(files: Mapping[str, str]) -> dict[str, str]:
    """The others as links, which need no script."""
    return as_links({name: text for name, text in files.items() if len(text) <= PACKED})


def csv_link(figure: Any) -> dict[str, str]:
    """The link to a figure's numbers."""
    return as_links({f"{figure.name}.csv": figure.csv})


def zoomable(spec: Mapping[str, Any]) -> bool:
    """Whether a chart's axes can be moved."""
    return any(parameter.get("name") == "zoom" for parameter in spec.get("params", ()))


def packed(text: str) -> str:
    """A text that the page's script unpacks when it is asked for: deflated (RFC 1950), in base64."""
    return in_base64(zlib.compress(text.encode("utf-8", "replace"), 9))


def in_base64(data: bytes) -> str:
    """Bytes as an address holds them."""
    return base64.b64encode(data).decode("ascii")


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script without imports."""
    script = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    assert "</script" not in script.lower(), "the bundle would end its own script element"
    assert "<!--" not in script
    return str(script)


@functools.cache
def _own(name: str) -> str:
    return resources.files("glassloom.report").joinpath(name).read_text(encoding="utf-8")


def _source(content: str) -> str:
    return f"'sha256-{in_base64(hashlib.sha256(content.encode()).digest())}'"


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("glassloom.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(written=written_setting, count=count, visible=visible)
    environment.globals.update(csv_link=csv_link, zoomable=zoomable)
    return environment
