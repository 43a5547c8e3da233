"""Comparisons: which runs they consist of, that they go on where they stopped, and what they find."""

import json
import math
from pathlib import Path

import pytest

import glassloom
from comparisons import corpus as made_corpus
from comparisons import row as made_row
from glassloom.cli.app import run as command
from glassloom.comparison import recommend
from glassloom.comparison.collect import best_evaluation, curve_of
from glassloom.comparison.grid import grid, matched, parameters
from glassloom.data import load_text
from glassloom.errors import SettingError
from glassloom.runs import load_run
from glassloom.training import Event, Stepped

TINY = {"width": 8, "layers": 1, "batch_size": 4, "sequence_length": 16, "eval_tokens": 200, "sample_length": 20}


def test_the_grid_is_every_combination_and_a_setting_goes_only_to_models_that_have_it() -> None:
    planned = grid(["gru", "transformer"], {"steps": 5, "heads": 2}, ["lr=1e-3,1e-2", "reset=before,after"], seeds=2)
    assert len(planned) == 2 * 2 * 2 + 2 * 2, "two rates, two forms of the gru, two seeds; the transformer has no form"
    assert len({plan.id for plan in planned}) == len(planned)
    assert len({plan.setting for plan in planned}) == 6
    assert all(("heads" in plan.given) == (plan.given["model"] == "transformer") for plan in planned)
    assert {plan.given["seed"] for plan in planned} == {0, 1}


@pytest.mark.parametrize(
    ("models", "given", "vary", "words"),
    [
        (["gruu"], {}, [], "gruu"),
        (["gru", "gru"], {}, [], "different models"),
        (["gru"], {"heads": 2}, [], "heads"),
        (["gru"], {}, ["lr"], "NAME=VALUE"),
        (["gru"], {}, ["lr="], "NAME=VALUE"),
        (["gru"], {}, ["lrr=1,2"], "lr"),
        (["gru"], {"lr": 1}, ["lr=1,2"], "twice"),
        (["gru"], {}, ["lr=1", "lr=2"], "twice"),
        (["gru"], {}, ["seed=1,2"], "--seeds"),
        (["gru"], {}, ["lr=-1"], "lr"),
    ],
)
def test_a_grid_that_makes_no_sense_is_refused_before_anything_is_trained(
    models: list[str], given: dict[str, object], vary: list[str], words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        grid(models, given, vary)


def test_matching_parameters_brings_every_model_as_near_to_the_first_as_its_width_allows() -> None:
    planned = matched(grid(["lstm", "rnn", "gru", "transformer"], {"steps": 1}), "parameters", vocabulary=65)
    sizes = [parameters(plan.given, 65) for plan in planned]
    assert "width" not in planned[0].given
    assert sizes[1:3] == [pytest.approx(sizes[0], rel=0.005)] * 2, "recurrent widths are whole numbers"
    transformer = planned[3].given
    for other in (transformer["width"] - 8, transformer["width"] + 8):  # four heads, each of even width
        assert abs(parameters({**transformer, "width": other}, 65) - sizes[0]) > abs(sizes[3] - sizes[0])


@pytest.fixture(scope="module")
def text() -> str:
    return (
        "".join(f"the {animal} sat on the {place}.\n" for animal in ("cat", "dog", "cow") for place in ("mat", "bed"))
        * 60
    )


def test_a_comparison_finds_a_row_a_curve_and_a_sample_for_each_run(text: str, tmp_path: Path) -> None:
    found = glassloom.compare(text, ["rnn", "gru"], out=tmp_path, seeds=2, steps=40, lr=0.01, **TINY)
    assert [row.id for row in found.rows] == ["rnn-seed0", "rnn-seed1", "gru-seed0", "gru-seed1"]
    assert {row.setting for row in found.rows} == {"rnn", "gru"}
    corpus = load_text(text)
    for row, curve, sample in zip(found.rows, found.curves, found.samples, strict=True):
        run = load_run(tmp_path / row.id)
        score = glassloom.evaluate(run)
        assert row.valid_perplexity_fair == pytest.approx(score.figures.perplexity, rel=1e-9)
        assert row.valid_bits_per_character == pytest.approx(score.figures.bits_per_character, rel=1e-9)
        best = best_evaluation(run)
        assert row.valid_perplexity == pytest.approx(math.exp(best["valid_nats"]))
        assert row.epoch == best["epoch"]
        assert min(p.valid_nats for p in curve.points if p.valid_nats is not None) == best["valid_nats"]
        assert row.steps == 40
        assert row.tokens == 40 * 4 * 16
        held_out = corpus.text("valid")
        assert held_out.startswith(sample.prompt)
        assert sample.truth is not None
        assert held_out[len(sample.prompt) :].startswith(sample.truth)
    assert set(found.baselines) == {"uniform", "unigram", "bigram", "kneser-ney-5", "xz"}
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored == json.loads(found.to_json())
    assert {path.suffix for path in (tmp_path / "figures").iterdir()} == {".svg", ".png"}
    for name in ("report.html", "results.csv", "table.tex", "table.md"):
        assert (tmp_path / name).stat().st_size > 100


def test_an_interrupted_comparison_goes_on_and_ends_like_one_that_was_not(text: str, tmp_path: Path) -> None:
    steps: list[tuple[str, int]] = []

    def watch(id: str, event: Event) -> None:
        if isinstance(event, Stepped):
            steps.append((id, event.step))

    arguments = {"steps": 30, "lr": 0.01, **TINY}
    whole = glassloom.compare(text, ["rnn", "gru"], out=tmp_path / "whole", **arguments)
    broken = glassloom.compare(
        text, ["rnn", "gru"], out=tmp_path / "broken", on_event=watch, stop=lambda: ("gru", 7) in steps, **arguments
    )
    assert [row.status for row in broken.rows] == ["finished", "interrupted"]
    steps.clear()
    again = glassloom.compare(text, ["rnn", "gru"], out=tmp_path / "broken", on_event=watch, **arguments)
    assert steps[0] == ("gru", 8), "the rnn is not trained again, the gru goes on after its seventh step"
    assert [row.status for row in again.rows] == ["finished", "finished"]
    for row, other in zip(whole.rows, again.rows, strict=True):
        assert row.nats_per_token == other.nats_per_token
        mine, theirs = load_run(row.run), load_run(other.run)
        assert [p.valid_nats for p in curve_of(mine, "a").points] == [
            p.valid_nats for p in curve_of(theirs, "a").points
        ]


def test_two_jobs_at_once_find_the_same_as_one_after_the_other(text: str, tmp_path: Path) -> None:
    arguments = {"steps": 12, "lr": 0.01, "threads": 1, **TINY}
    one = glassloom.compare(text, ["rnn", "gru"], out=tmp_path / "one", **arguments)
    two = glassloom.compare(text, ["rnn", "gru"], out=tmp_path / "two", jobs=2, **arguments)
    assert [row.nats_per_token for row in one.rows] == [row.nats_per_token for row in two.rows]
    assert [row.status for row in two.rows] == ["finished", "finished"]


def test_a_run_that_diverges_is_a_row_that_says_so_and_stops_no_other(text: str, tmp_path: Path) -> None:
    found = glassloom.compare(
        text, ["rnn"], vary={"lr": [0.01, 1e30]}, out=tmp_path, steps=20, optimizer="sgd", activation="relu", **TINY
    )
    assert [row.status for row in found.rows] == ["finished", "diverged"]
    assert found.rows[1].reason
    assert found.recommendation.generalization == "rnn-lr0.01"
    json.loads((tmp_path / "results.json").read_text(), parse_constant=lambda word: pytest.fail(word))


def test_models_of_different_texts_are_not_put_on_one_page(text: str, tmp_path: Path) -> None:
    for name, source in (("a", text), ("b", text.upper())):
        glassloom.train(source, "rnn", name=name, runs=tmp_path, steps=2, **TINY)
    with pytest.raises(glassloom.errors.RunError, match="different texts"):
        glassloom.write_report(["a", "b"], root=tmp_path)
    page = glassloom.write_report(["a"], root=tmp_path)
    assert page == tmp_path / "a" / "report.html"
    assert "</html>" in page.read_text(encoding="utf-8")


def test_the_command_prints_the_content_of_results_json(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "text.txt"
    source.write_text(text)
    flags = [word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    out = tmp_path / "out"
    code = command(["compare", str(source), "--models", "gru,rnn", "--steps", "3", "--out", str(out), "--json", *flags])
    printed = capsys.readouterr().out
    assert code == 0
    assert json.loads(printed) == json.loads((out / "results.json").read_text())
    keys = {"id", "model", "seed", "settings", "epoch", "seconds", "train_perplexity", "valid_perplexity",
            "valid_perplexity_fair", "valid_bits_per_character"}  # fmt: skip
    assert keys <= set(json.loads(printed)["rows"][0])


def test_every_step_of_a_comparison_sees_as_many_tokens_in_every_model(text: str, tmp_path: Path) -> None:
    found = glassloom.compare(
        text, ["gru", "transformer"], out=tmp_path, steps=3, width=8, layers=1, eval_tokens=200, sample_length=5
    )
    assert found.rows[0].tokens == found.rows[1].tokens
    assert found.rows[0].epoch == found.rows[1].epoch


def test_bits_per_character_of_sequences_count_their_ends_once_everywhere(text: str, tmp_path: Path) -> None:
    found = glassloom.compare(text, ["gru"], out=tmp_path, steps=10, sequences="lines", width=8, layers=1)
    [row] = found.rows
    assert found.corpus.in_unit(row.nats_per_token) == pytest.approx(row.valid_bits_per_character)
    uniform = found.baselines["uniform"]
    assert found.corpus.in_unit(uniform.nats_per_token) == pytest.approx(uniform.bits_per_character)


def test_a_text_described_by_the_command_shows_its_baselines(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "text.txt"
    source.write_text(text)
    assert command(["corpora", str(source)]) == 0
    assert "kneser-ney-5" in capsys.readouterr().out


def test_a_setting_that_ends_worse_than_a_uniform_guess_is_not_recommended_for_its_speed() -> None:
    facts = made_corpus("word")
    found = recommend([made_row("good", 10, 500.0), made_row("lost", 1, 1e30)], facts)
    assert found.front == ("good",)
    assert any("worse than a uniform guess" in sentence for sentence in found.sentences)
