"""The promises that take minutes to keep, each with its number: `make test-all`.

Budgets are in steps, so that a busy machine takes longer and gives the same figures.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from kills import assert_kills_lose_nothing
from trainings import command
from trainings import small as tiny

pytestmark = pytest.mark.long

ROOT = Path(__file__).parent.parent
TWO_MINUTES = {"ptb": 524, "shakespeare": 150}
"""Updates that two idle cores make in two minutes (of the transformer many more)."""


@pytest.fixture(autouse=True)
def real_texts(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus's name stands for the text in the data folder, in processes of our own too."""
    monkeypatch.setenv("GLASSLOOM_DATA", str(data_folder))


def found_by(*arguments: object, folder: Path) -> Any:
    """The JSON object that a command in a process of its own prints last."""
    process = command(*map(str, arguments), "--json", folder=folder)
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_a_gru_on_the_words_of_penn_treebank_passes_the_unigram_within_two_minutes(tmp_path: Path) -> None:
    steps = TWO_MINUTES["ptb"]
    found = found_by("train", "ptb", "--tokenizer", "word", "--model", "gru", "--steps", steps, folder=tmp_path)
    assert found["steps"] == steps
    assert found["best"]["tokens"] == 73_760, "every word of the validation text"
    assert found["baselines"]["unigram"]["perplexity"] == pytest.approx(687, abs=0.5)
    assert found["best"]["perplexity"] < 687


def test_a_transformer_on_shakespeare_passes_the_bigram_within_two_minutes(tmp_path: Path) -> None:
    steps = TWO_MINUTES["shakespeare"]
    found = found_by("train", "shakespeare", "--model", "transformer", "--steps", steps, folder=tmp_path)
    assert found["baselines"]["bigram"]["bits_per_character"] == pytest.approx(3.583, abs=0.001)
    assert found["best"]["bits_per_character"] < found["baselines"]["bigram"]["bits_per_character"]


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm", "transformer"])
def test_twenty_kills_at_random_moments_lose_nothing(model: str, tiny_text: str, tmp_path: Path) -> None:
    settings = tiny(model, steps=400, save_every=2, eval_every=10, dropout=0.2, batching="streams")
    assert_kills_lose_nothing(tiny_text[:3000], settings, tmp_path, kills=20)


def test_a_file_of_300_megabytes_is_tokenized_once_and_never_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import large_file

    small = large_file.measure(megabytes=3, steps=5)
    prepared, trained = large = large_file.measure(megabytes=300, steps=5)
    assert prepared["opened_the_text"] > 0
    assert trained["opened_the_text"] == 0, "what is prepared is opened instead"
    for one, hundred in zip(small, large, strict=True):
        more = hundred["memory_beyond_imports_bytes"] - one["memory_beyond_imports_bytes"]
        assert more < 60e6, f"a hundred times the text takes {more / 1e6:.0f} MB more to {hundred['phase']}"


def test_four_models_on_hebrew_end_with_a_report_that_runs_from_right_to_left(tmp_path: Path) -> None:
    models = ["rnn", "gru", "lstm", "transformer"]
    found = found_by(
        "compare", "hebrew", "--models", ",".join(models), "--steps", 80, "--out", "poems", folder=tmp_path
    )
    assert [row["model"] for row in found["rows"]] == models
    assert {row["status"] for row in found["rows"]} == {"finished"}
    assert len({row["tokens"] for row in found["rows"]}) == 1, "equal steps are equal tokens"
    unigram = found["baselines"]["unigram"]["bits_per_character"]
    for row in found["rows"]:
        assert row["valid_bits_per_character"] < unigram, row
    assert found["recommendation"]["generalization"] in models
    report = (tmp_path / "poems" / "report.html").read_text(encoding="utf-8")
    assert report.count('<blockquote dir="auto">') == 5, "what each model wrote, and what really stands there"
    assert json.loads((tmp_path / "poems" / "results.json").read_text(encoding="utf-8")) == found
    assert len(list((tmp_path / "poems" / "figures").glob("*.svg"))) >= 3


def test_the_demo_trains_all_four_on_the_standard_library_and_can_be_repeated(tmp_path: Path) -> None:
    first = found_by("demo", folder=tmp_path)
    assert [row["model"] for row in first["rows"]] == ["rnn", "gru", "lstm", "transformer"]
    assert sum(size["characters"] for size in first["corpus"]["sizes"].values()) > 5_000_000
    for row in first["rows"]:
        assert row["status"] == "finished"
        assert row["valid_bits_per_character"] < first["baselines"]["uniform"]["bits_per_character"]
    page = tmp_path / "runs" / "demo" / "report.html"
    before = page.stat().st_mtime_ns
    again = found_by("demo", "--minutes", 0.02, folder=tmp_path)
    assert page.stat().st_mtime_ns > before
    assert all(
        now["total_seconds"] < then["total_seconds"] for now, then in zip(again["rows"], first["rows"], strict=True)
    ), "its own runs were replaced, not continued"
    assert len([path for path in page.parent.iterdir() if (path / "config.json").is_file()]) == 4
