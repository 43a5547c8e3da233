"""The files beside a page: what it no longer shows goes, what is not its own stays."""

import json
from pathlib import Path

import pytest

from glassloom.errors import StorageError
from glassloom.report import write_page
from pages import lines, matrices, page, prose, table


def test_a_page_is_rewritten_whole_and_what_it_no_longer_shows_goes(tmp_path: Path) -> None:
    write_page(page(lines(), table()), tmp_path)
    write_page(page(matrices()), tmp_path)
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    figures = {f"figures/attention.{kind}" for kind in ("svg", "png", "csv")}
    assert there == figures | {"report.html", "page.json", "rows.csv"}


def test_files_of_the_user_stay_where_they_are(tmp_path: Path) -> None:
    mine = [tmp_path / name for name in ("figures/my.csv", "figures/photo.png", "tables/thesis.tex", "thesis.md")]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine", encoding="utf-8")
    write_page(page(lines(), table()), tmp_path)
    listed = json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))
    assert "figures/curves.svg" in listed["files"]
    assert not {"figures/my.csv", "tables/thesis.tex"} & set(listed["files"])
    odd = [*listed["files"], "thesis.md", "tables/../thesis.md", 3]
    (tmp_path / "page.json").write_text(json.dumps({"files": odd}))
    write_page(page(prose()), tmp_path)
    assert [path.read_text(encoding="utf-8") for path in mine] == ["mine"] * 4
    assert not (tmp_path / "figures" / "curves.svg").exists()
    (tmp_path / "page.json").write_text("{")
    write_page(page(prose()), tmp_path)
    assert [path.read_text(encoding="utf-8") for path in mine] == ["mine"] * 4


def test_a_page_that_cannot_be_written_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(StorageError, match="file"):
        write_page(page(prose()), tmp_path / "file")
