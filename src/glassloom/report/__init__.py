"""Results -> one self-contained page, and the same figures and tables as files of their own."""

from pathlib import Path

from glassloom.comparison import Comparison, comparison_table, rows_as_csv, table_as_latex, table_as_markdown
from glassloom.report import copies
from glassloom.report.exhibition import Page, Section, exhibition_as_html, write_page
from glassloom.report.figures import NAMES, Figure, drawings_of, figures_of
from glassloom.report.files import remove_figures, write_figures, write_whole
from glassloom.report.page import all_figures, page_as_html

__all__ = [
    "Figure",
    "Page",
    "Section",
    "exhibition_as_html",
    "figures_of",
    "page_as_html",
    "write_page",
    "write_report",
    "write_run_report",
]


def write_report(comparison: Comparison, folder: Path | str) -> Path:
    """Write `report.html`, `results.json`, `results.csv`, `table.tex`, `table.md` and `figures/`; the page's path.

    Every file is written whole or not at all, the page last. Raises StorageError where the folder cannot be written.
    """
    folder = Path(folder)
    figures = all_figures(comparison)
    table = comparison_table(comparison)
    write_whole(folder / "results.json", comparison.to_json())
    write_whole(folder / "results.csv", rows_as_csv(comparison.rows))
    write_whole(folder / "table.tex", table_as_latex(table))
    write_whole(folder / "table.md", table_as_markdown(table))
    write_figures(drawings_of(figures), folder / "figures")
    remove_figures({*NAMES, *copies.NAMES} - {figure.name for figure in figures}, folder / "figures")
    return write_run_report(comparison, folder / "report.html", figures)


def write_run_report(comparison: Comparison, path: Path | str, figures: list[Figure] | None = None) -> Path:
    """Write the page alone, as a run's `report.html`: a comparison of one row. Returns its path."""
    path = Path(path)
    write_whole(path, page_as_html(comparison, figures))
    return path
