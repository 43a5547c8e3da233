"""The doctor's benchmark: its cases are listed, bounds are exact, rows and figures say what a command said."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("benchmarks", "benchmarks/doctor"):
        monkeypatch.syspath_prepend(str(ROOT / folder))


def test_every_name_has_a_sick_case_in_recurrent_and_where_it_makes_sense_in_attention_form() -> None:
    from glassloom.doctor.names import NAMES
    from listed import cases

    forms: dict[str, set[str]] = {name: set() for name in NAMES}
    for case in cases(("sick",)):
        forms[case.names[0]].add("attention" if case.form == "transformer" else "recurrent")
    assert {name: found for name, found in forms.items() if found != {"attention", "recurrent"}} == {}
    assert len(cases(("sick",))) >= 60
    assert len(cases(("healthy",))) >= 60
    assert len(cases(("mended",))) >= 30


def test_a_mended_file_differs_from_its_twin_and_neither_says_what_it_is() -> None:
    from glassloom.doctor.names import NAMES
    from listed import CASES, cases

    for case in cases():
        assert ast.parse(case.source)
        assert not [name for name in NAMES if name in case.source.lower() or name in case.file]
        if case.twin:
            assert case.source != (CASES / case.twin).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 10, 0.0, 1 - 0.025**0.1), (10, 10, 0.025**0.1, 1.0), (1, 2, 1 - 0.975**0.5, 0.975**0.5)],
)
def test_bounds_are_those_of_clopper_and_pearson(hits: int, trials: int, low: float, high: float) -> None:
    """By hand: P(0 of n) = (1 - p)^n = 0.025; and of one in two P(>= 1) = 1 - (1 - p)^2, P(<= 1) = 1 - p^2."""
    from bounds import bounds

    assert bounds(hits, trials) == pytest.approx((low, high), abs=1e-12)


def said(*named: str, verdict: str = "sick") -> str:
    findings = [{"name": name, "severity": "fatal", "evidence": {}, "explanation": "", "fix": ""} for name in named]
    return json.dumps({"verdict": verdict, "findings": findings})


def test_a_row_is_right_only_where_the_first_name_and_the_exit_code_are() -> None:
    from examining import judged
    from listed import Case

    ill, well = Case("sick", "gru_1.py", ("no-past",)), Case("healthy", "gru_2.py")
    assert judged(ill, 0, 1, said("no-past", "no-position"), "", 1.0)["right"]
    late = judged(ill, 0, 1, said("no-position", "no-past"), "", 1.0)
    assert (late["detected"], late["right"]) == (True, False)
    assert judged(well, 0, 0, said(verdict="healthy"), "", 1.0)["right"]
    assert not judged(well, 0, 2, "", "no logits", 1.0)["right"]
    assert "exit code 0 with sick" in judged(ill, 0, 0, said("no-past"), "", 1.0)["error"]


def test_figures_count_files_that_every_seed_got_right() -> None:
    from figures import summary

    def row(case: str, expected: list[str], right: bool, detected: bool) -> dict[str, Any]:
        said = {"named": ["x"] if detected else [], "form": "gru", "seconds": 2.0}
        return {"case": case, "expected": expected, "right": right, "detected": detected, **said}

    rows = [row("a", ["x"], True, True), row("a", ["x"], False, True), row("b", ["x"], True, True)]
    rows += [row("c", [], True, False), row("c", [], False, True), row("d", [], True, False)]
    figures = summary(rows)
    assert (figures["detected"]["hits"], figures["right_name_first"]["hits"], figures["detected"]["files"]) == (2, 1, 2)
    assert (figures["false_alarms"]["hits"], figures["false_alarms"]["files"]) == (1, 2)
    assert figures["names"]["x"] == {"runs": 3, "detected": 3, "right": 2, "forms": ["gru"], "instead": ["x"]}


def test_the_page_says_what_the_results_say() -> None:
    import table

    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8") if table.PAGE.exists() else ""
    assert table.with_figures(page) == page, "write it anew: python benchmarks/doctor/table.py"


def test_each_mutation_is_of_a_name_and_makes_a_file() -> None:
    from glassloom.doctor.names import NAMES
    from mutation import mutants
    from mutations import MUTATIONS

    assert {name for name, _, _ in MUTATIONS.values()} == set(NAMES)
    assert len(MUTATIONS) >= 20
    assert all(compile(case.source, case.file, "exec") for case in mutants())
