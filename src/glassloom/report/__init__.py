"""Results -> one self-contained page, and the same figures and tables as files of their own."""

from pathlib import Path

import vl_convert

from glassloom.comparison import Comparison, comparison_table, rows_as_csv, table_as_latex, table_as_markdown
from glassloom.report.figures import NAMES, Figure, figures_of
from glassloom.report.page import page_as_html
from glassloom.storage import replace_file, storing

__all__ = ["Figure", "figures_of", "page_as_html", "write_report", "write_run_report"]

PIXELS = 2
"""Of a PNG, for one pixel of the figure."""


def write_report(comparison: Comparison, folder: Path | str) -> Path:
    """Write `report.html`, `results.json`, `results.csv`, `table.tex`, `table.md` and `figures/`; the page's path.

    Every file is written whole or not at all, the page last. Raises StorageError where the folder cannot be written.
    """
    folder = Path(folder)
    figures = figures_of(comparison)
    table = comparison_table(comparison)
    write_whole(folder / "results.json", comparison.to_json())
    write_whole(folder / "results.csv", rows_as_csv(comparison.rows))
    write_whole(folder / "table.tex", table_as_latex(table))
    write_whole(folder / "table.md", table_as_markdown(table))
    _write_figures(figures, folder / "figures")
    return write_run_report(comparison, folder / "report.html", figures)


def write_run_report(comparison: Comparison, path: Path | str, figures: list[Figure] | None = None) -> Path:
    """Write the page alone, as a run's `report.html`: a comparison of one row. Returns its path."""
    path = Path(path)
    write_whole(path, page_as_html(comparison, figures))
    return path


def _write_figures(figures: list[Figure], folder: Path) -> None:
    for figure in figures:
        svg = vl_convert.vegalite_to_svg(figure.spec)
        write_whole(folder / f"{figure.name}.svg", svg)
        write_whole(folder / f"{figure.name}.png", vl_convert.svg_to_png(svg, scale=PIXELS))
    for name in set(NAMES) - {figure.name for figure in figures}:
        for kind in ("svg", "png"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, and the folders above it, so that a reader sees the old one or the new one.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.encode("utf-8", "replace") if isinstance(content, str) else content)
