"""The page and the README's table of speed say what the results say."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_page_and_table_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import performance

    again = "write it anew: python benchmarks/performance.py"
    assert performance.DOCUMENT.read_text(encoding="utf-8") == performance.page(), again
    readme = performance.README.read_text(encoding="utf-8")
    assert performance.with_table(readme) == readme, again


def test_a_missed_target_stays_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import performance

    missed = {"name": "gru, 25 x 1 x 100, float32", "measured": 4.0, "unit": "times", "target": 6.0, "met": False}
    assert "| 4 times | 6 |" in performance.line(missed)
    assert "missed: one row fills no tile" in performance.line(missed)
    reached = {**missed, "measured": 7.0, "met": True}
    assert performance.line(reached).endswith("| reached |")
