"""Results -> one self-contained page, and the same figures and tables as files of their own."""

from pathlib import Path

import vl_convert

from glassloom.comparison import Comparison, comparison_table, rows_as_csv, table_as_latex, table_as_markdown
from glassloom.errors import InputError, nearest
from glassloom.report import copies
from glassloom.report.blocks import blocks_of
from glassloom.report.exhibition import Page, Section, exhibition_as_html, write_page
from glassloom.report.figures import NAMES, Figure, drawings_of, figures_of
from glassloom.report.files import remove_figures, write_figures, write_whole
from glassloom.report.latex import as_latex
from glassloom.report.markdown import as_markdown
from glassloom.report.page import all_figures, page_as_html, part_of
from glassloom.report.printing import as_pdf

__all__ = [
    "FORMS",
    "Figure",
    "Page",
    "Section",
    "check_form",
    "exhibition_as_html",
    "figures_of",
    "page_as_html",
    "write_form",
    "write_page",
    "write_report",
    "write_run_report",
]


FORMS = ("html", "pdf", "latex", "markdown")
"""What a report can be written as."""
ENDINGS = (".html", ".pdf", ".tex", ".md")


def check_form(form: str) -> None:
    """Refuse what a report cannot be written as: InputError."""
    if form not in FORMS:
        raise InputError(f"A report cannot be written as {form}", f"one of {', '.join(FORMS)}", nearest(form, FORMS))


def write_form(comparison: Comparison, folder: Path | str, form: str) -> Path:
    """Write a comparison as one of FORMS: `report.html`, `.pdf`, `.tex` or `.md`, its figures beside it; the path.

    Raises:
        InputError: another form; or a PDF where there is no Chromium to print it.
        StorageError: the folder cannot be written.
    """
    folder = Path(folder)
    check_form(form)
    if folder.suffix in ENDINGS and not folder.is_dir():
        raise InputError(
            f"{folder} is named like a file", "a folder, which gets the report", f"say --out {folder.with_suffix('')}"
        )
    if form == "html":
        return write_report(comparison, folder)
    figures = all_figures(comparison)
    if form == "pdf":
        write_whole(folder / "report.pdf", as_pdf(page_as_html(comparison, figures)))
        return folder / "report.pdf"
    blocks = blocks_of(part_of(comparison, figures))
    for name, svg in drawings_of(figures).items():
        if form == "latex":
            write_whole(folder / "figures" / f"{name}.pdf", vl_convert.svg_to_pdf(svg))
        else:
            write_whole(folder / "figures" / f"{name}.svg", svg)
    if form == "latex":
        write_whole(folder / "report.tex", as_latex(comparison.title, comparison.date, blocks))
        return folder / "report.tex"
    write_whole(folder / "report.md", as_markdown(comparison.title, blocks))
    return folder / "report.md"


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
