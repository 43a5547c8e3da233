"""`glassloom doctor RUN`: which runs can be examined, the exact floor of a language, and what a whole run is told."""

import json
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest

from glassloom.data.languages import LANGUAGES
from glassloom.doctor.floor import below_floor
from glassloom.doctor.history import examine_run, has_learned, in_order, judged, outgrown, together
from glassloom.doctor.names import finding
from glassloom.doctor.recorded import recorded
from glassloom.doctor.run_names import RUN_NAMES, run_finding
from glassloom.errors import Notice, RunError
from glassloom.runs import Run
from glassloom.runs.lock import writing
from histories import facts, rewritten, trained
from trainings import language, stream


@pytest.fixture
def run(tiny_text: str, tmp_path: Path) -> Run:
    return trained(stream(tiny_text), tmp_path)


def refusal(folder: Path) -> str:
    """The one sentence with which a run is refused."""
    with pytest.raises(RunError) as caught:
        examine_run(folder)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_run_that_cannot_be_examined_is_refused_with_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "is a folder but no run" in refusal(tmp_path / "empty")
    assert "There is no run" in refusal(tmp_path / "nowhere")
    with writing(run.path):
        assert "is still training" in refusal(run.path)


def test_a_run_without_a_step_was_not_trained_and_one_without_metrics_has_no_history(run: Run) -> None:
    metrics = run.path / "metrics.jsonl"
    metrics.write_text("{torn\n[1, 2]\n")
    assert "no line of it is whole" in refusal(run.path)
    metrics.write_text("")
    assert "has not been trained: no step was recorded" in refusal(run.path)
    metrics.unlink()
    assert "so nothing is known of how it was trained" in refusal(run.path)


@pytest.mark.parametrize("file", ["config.json", "corpus.json", "tokenizer.json", "result.json"])
def test_a_damaged_file_is_named(run: Run, file: str) -> None:
    (run.path / file).write_text('{"vocabulary": ')
    assert file in refusal(run.path)


def test_facts_and_checkpoints_that_are_not_whole_are_refused(run: Run) -> None:
    (run.path / "corpus.json").write_text("[]")
    assert "does not say what the text of the run is" in refusal(run.path)


def test_a_run_whose_checkpoints_are_all_damaged_is_refused(run: Run) -> None:
    for checkpoint in run.checkpoints():
        (checkpoint.path / "manifest.json").unlink()
    with pytest.warns(Notice, match="is passed over"):
        assert "checkpoint" in refusal(run.path)


def test_records_with_foreign_values_are_passed_over_or_refused_and_never_end_in_a_traceback(run: Run) -> None:
    metrics = run.path / "metrics.jsonl"
    line = json.dumps({"event": "train", "step": "many", "train_nats": None})
    metrics.write_text(metrics.read_text() + line + "\n")
    assert judged(recorded(Run(run.path))) == ()
    facts(run, baselines={"unigram": 3})
    assert "are damaged" in refusal(run.path)


def told_of(run: Run, nats_per_token: float) -> Run:
    """The run with another figure for its best checkpoint on all held-out strings."""
    result = json.loads((run.path / "result.json").read_text())
    result["best"]["nats_per_token"] = nats_per_token
    (run.path / "result.json").write_text(json.dumps(result))
    return Run(run.path)


def test_a_loss_below_the_floor_is_found_by_an_exact_probability(tmp_path: Path) -> None:
    corpus = language("ndfa", 2000)
    run = trained(corpus, tmp_path, steps=2)
    best = run.result()["best"]
    starts = [*corpus.valid.starts.tolist(), len(corpus.valid.ids)]
    strings = [corpus.text("valid", begin, end) for begin, end in pairwise(starts)]
    assert len(strings) == 200
    true = -sum(LANGUAGES["ndfa"].log_probability(string) for string in strings)
    assert best["tokens"] == sum(len(string) + 1 for string in strings)
    assert below_floor(recorded(run)) is None, "an untrained model"
    evaluations = len(recorded(run).evaluations["step"])
    needed = math.log(evaluations / 1e-6)
    assert below_floor(recorded(told_of(run, (true - needed + 0.1) / best["tokens"]))) is None
    found = below_floor(recorded(told_of(run, (true - needed - 0.1) / best["tokens"])))
    assert found is not None
    assert (found.name, found.severity, found.evidence["exact"]) == ("below-entropy-floor", "fatal", True)
    assert found.evidence["below_nats"] == pytest.approx(needed + 0.1, abs=1e-6)
    assert found.evidence["log10_probability_at_most"] == pytest.approx(-6 - 0.1 / math.log(10), abs=1e-6)
    far = told_of(run, 0.8 * true / best["tokens"])
    assert judged(recorded(far))[0].name == "below-entropy-floor"


def test_without_the_strings_the_floor_is_the_entropy_and_the_bound_a_tenth_of_it(tmp_path: Path) -> None:
    run = facts(trained(language("ndfa", 2000), tmp_path, steps=2), fingerprint="0" * 16)
    tokens = run.result()["best"]["tokens"]
    floor = 200 * LANGUAGES["ndfa"].entropy_nats / tokens
    assert below_floor(recorded(told_of(run, 0.91 * floor))) is None
    found = below_floor(recorded(told_of(run, 0.89 * floor)))
    assert found is not None
    assert not found.evidence["exact"]
    assert found.evidence["floor_nats_per_token"] == pytest.approx(floor)


def test_one_cause_is_told_once_and_the_likeliest_comes_first() -> None:
    every = [run_finding(name, {}) for name in RUN_NAMES]
    assert [one.name for one in in_order(every)] == ["loss-above-uniform"]
    unmoved = [one for one in every if one.name not in ("loss-above-uniform", "below-entropy-floor", "out-of-memory")]
    kept = [one.name for one in in_order(unmoved)]
    assert kept[0] == "loss-never-moved"
    assert not {"worse-than-unigram", "still-falling", "learning-rate-at-zero"} & set(kept)
    notes = [run_finding(name, {}) for name in ("still-falling", "worse-than-bigram", "always-clipped")]
    assert [one.name for one in in_order(notes)] == ["always-clipped", "worse-than-bigram", "still-falling"]


def test_how_a_model_begins_is_a_note_where_training_has_led_away_from_it(run: Run) -> None:
    begins, wired = finding("vanishing-gradient", {}), finding("no-past", {})
    assert [one.severity for one in outgrown((begins, wired))] == ["note", "fatal"]
    history = recorded(run)
    assert not has_learned(history, ()), "a few steps"
    assert has_learned(recorded(rewritten(run, [4.0, 2.0], [2.0])), (run_finding("still-falling", {}),))
    assert not has_learned(recorded(run), (run_finding("memorising", {}),))


def test_what_follows_from_the_model_is_not_told_again_in_its_history() -> None:
    of_history = tuple(run_finding(name, {}) for name in ("loss-never-moved", "always-clipped"))
    names = [one.name for one in together((finding("softmax-before-loss", {}),), of_history)]
    assert names == ["softmax-before-loss", "always-clipped"]
    assert together((), of_history) == of_history


def test_a_whole_run_is_examined_model_and_history(tiny_text: str, tmp_path: Path) -> None:
    broken = trained(stream(tiny_text), tmp_path, model="transformer", output="probabilities", steps=60, lr=1e-3)
    told: list[str] = []
    found = examine_run(broken.path, watch=lambda doing, so_far: told.append(doing))
    assert (found.verdict, found.names[0]) == ("sick", "softmax-before-loss")
    assert found.findings[0].evidence["floor_of_doubled_softmax"] == pytest.approx(
        math.log(math.e + broken.tokenizer.size - 1) - 1
    )
    assert told[0] == "reading the history"


@pytest.mark.parametrize("name", RUN_NAMES)
def test_every_name_says_what_it_means_in_two_or_three_sentences_and_which_setting_mends_it(name: str) -> None:
    entry = RUN_NAMES[name]
    assert 2 <= len(re.findall(r"[.:](?: |$)", entry.means)) <= 4
    assert "--" in entry.fix or name == "below-entropy-floor", "a setting's name, but for a leak"
