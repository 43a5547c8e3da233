"""Parallel coordinates: where each value lies on its scale, what is written below it, and what a gap does."""

from typing import Any

import pytest

from glassloom.exhibits import Parallel, Scale, Strand, as_dict, from_dict
from glassloom.report.drawing import show
from glassloom.report.parallel import parallel_chart

SCALES = (Scale(title="lr", log=True), Scale(title="norm", choices=("pre", "post", "none")), Scale(title="layers"),
          Scale(title="loss"))  # fmt: skip
STRANDS = (
    Strand(label="one", values=(1e-4, "pre", 1, 2.0), group="best"),
    Strand(label="two", values=(1e-2, "none", 5, 3.0), group="others"),
    Strand(label="three", values=(1e-3, "post", 2, 2.5), group="others"),
    Strand(label="gap", values=(1e-3, None, 3, float("nan")), group="others"),
)


def exhibit(strands: tuple[Strand, ...] = STRANDS) -> Parallel:
    return Parallel(name="all", title="All", scales=SCALES, strands=strands)


def places(label: str) -> dict[str, Any]:
    rows = parallel_chart(exhibit(), "about")["datasets"]["strands"]
    return {row["scale"]: row["place"] for row in rows if row["label"] == label}


def test_a_value_lies_where_its_scale_has_it() -> None:
    assert places("one") == {"lr": 0, "norm": 0, "layers": 0, "loss": 0}
    assert places("two") == {"lr": 1, "norm": 1, "layers": 1, "loss": 1}
    assert places("three") == {"lr": pytest.approx(0.5), "norm": 0.5, "layers": 0.25, "loss": 0.5}


def test_a_gap_ends_a_line_and_the_first_group_lies_on_top() -> None:
    rows = parallel_chart(exhibit(), "about")["datasets"]["strands"]
    gap = [row for row in rows if row["label"] == "gap"]
    assert [row["scale"] for row in gap] == ["lr", "layers"]
    assert len({row["strand"] for row in gap}) == 2, "no line over the gap"
    assert max(row["order"] for row in rows) == next(row["order"] for row in rows if row["label"] == "one")


def test_scales_of_numbers_are_labelled_by_round_ones_between_exact_ends() -> None:
    ticks = parallel_chart(exhibit(), "about")["datasets"]["ticks"]
    below = {row: [tick["text"] for tick in ticks if tick["row"] == row] for row in range(4)}
    assert below[0] == ["0.0001", "0.00032", "0.001", "0.0032", "0.01"]
    assert below[1] == ["pre", "post", "none"]
    assert below[2] == ["1", "2", "3", "4", "5"]
    assert (below[3][0], below[3][-1]) == ("2", "3")


def test_it_is_told_in_words_and_as_csv_and_comes_back_from_json() -> None:
    shown = show(exhibit())
    assert shown.figure is not None
    assert shown.figure.words[1] == "two (others): lr 0.01, norm none, layers 5, loss 3."
    assert (shown.csv or "").splitlines()[:2] == ["label,group,lr,norm,layers,loss", "one,best,0.0001,pre,1,2.0"]
    again = from_dict(as_dict(exhibit(STRANDS[:3])))
    assert as_dict(again) == as_dict(exhibit(STRANDS[:3]))
    assert show(exhibit(())).kind == "undrawn"
