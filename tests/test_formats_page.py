"""docs/formats.md says what the code does; and what is said where a package is missing."""

import sys
from pathlib import Path

import pytest

from glassloom.errors import InputError
from glassloom.exchange import FORMATS
from glassloom.exchange.document import formats_page
from glassloom.exchange.fitting import LAYOUTS
from glassloom.exchange.packages import package

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"


def test_the_page_about_formats_comes_from_the_code() -> None:
    page = formats_page()
    assert PAGE.read_text(encoding="utf-8") == page, (
        "write it anew: python -m glassloom.exchange.document > docs/formats.md"
    )
    assert "{{" not in page
    for name in [*FORMATS, *LAYOUTS]:
        assert f"| `{name}` |" in page


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"ONNX needs the package onnx, .*pip install 'glassloom\[export\]'"):
        package("onnx", "ONNX")
